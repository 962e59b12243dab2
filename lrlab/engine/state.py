"""A lane's state: what evolves while it trains, how it starts, and its shapes before it exists."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

from lrlab.core.memo import kept_with
from lrlab.engine.binding import GIVEN, Beginning, beginning, by_name, frozen_of
from lrlab.engine.devices import precision
from lrlab.engine.host_data import held_dtype
from lrlab.engine.shapes import Flag, Seed, Step
from lrlab.rng import key
from lrlab.types import Hyper, Params, Problem, PyTree


class LaneState(NamedTuple):
    """All that evolves while a lane trains.

    `model` is what is not trained by gradients; `optimizer` of a step of one's own: for each array
    of floats of its state, whether that was finite at the start; `alive` bool: the lane still
    trains; `diverged_at` int32: the first update whose loss or parameters were not finite (-1:
    none); `last_loss`: the last finite training loss.
    """

    params: Params
    model: PyTree
    optimizer: PyTree
    alive: Array
    diverged_at: Array
    last_loss: Array


def averages(problem: Problem, shapes: LaneState) -> bool:
    """Whether other parameters are evaluated than those that are trained: the optimizer keeps an
    average of them in its state. `shapes`: those of a lane."""
    choose, found = problem.optimizer.evaluation_params, []

    def look(state: PyTree, params: PyTree) -> None:
        found.append(choose is not None and choose(state, params) is not params)

    jax.eval_shape(look, shapes.optimizer, shapes.params)
    return found[0]


def scheduled(problem: Problem, hyper: Hyper, step: Step) -> dict[str, ArrayLike]:
    """`hyper` with every learning rate (`lr`, or one for each group), and whatever else moves, as
    it is at update `step`."""
    rates = {
        name: problem.schedule({**hyper, "lr": hyper[name]}, step)
        for name in problem.rates
        if name in hyper
    }
    moved = {} if problem.scheduled_hyper is None else problem.scheduled_hyper(hyper, step)
    return {**with_fixed(problem, hyper), **moved, **rates}


def with_fixed(problem: Problem, hyper: Hyper) -> dict[str, ArrayLike]:
    """`hyper` with the scalars that all lanes share, which the task reads beside the axes."""
    fixed = {name: jnp.asarray(value, problem.dtype) for name, value in problem.fixed}
    return {**fixed, **hyper}


def transformation(problem: Problem, hyper: Hyper) -> optax.GradientTransformationExtraArgs:
    """The lane's optimizer, built from traced values: just as `optax.adam(lr)` would be."""
    return optax.with_extra_args_support(problem.optimizer.make(hyper))


def initial_state(
    problem: Problem, params: Params, model: PyTree, hyper: Hyper, alive: Flag, seed: Seed
) -> LaneState:
    """A lane before its first update, from its seed's parameters (scaled by `init_scale`)."""
    params = scaled(params, hyper)
    at_start = scheduled(problem, hyper, jnp.zeros((), jnp.int32))
    if problem.task.start is not None:
        model = problem.task.start(key(seed, "init"), by_name(problem, at_start))
        # A maximum so far begins at -inf, and says nothing about divergence.
        optimizer = tuple(jnp.isfinite(leaf).all() for leaf in floats_of(model))
    else:
        optimizer = transformation(problem, at_start).init(params)
    return LaneState(
        params=params,
        model=model,
        optimizer=optimizer,
        alive=alive,
        diverged_at=jnp.full((), -1, jnp.int32),
        last_loss=jnp.full((), jnp.nan, problem.dtype),
    )


def floats_of(tree: PyTree) -> list[Array]:
    """The arrays of floating or complex numbers, in order."""
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]


def scaled(params: Params, hyper: Hyper) -> Params:
    """A seed's parameters as a lane begins with them: times its `init_scale`, where it has one."""
    if "init_scale" not in hyper:
        return params
    return jax.tree.map(lambda leaf: leaf * hyper["init_scale"], params)


def lane_shapes(
    problem: Problem, data: Mapping[str, PyTree], hyper_names: tuple[str, ...]
) -> LaneState:
    """The shapes and dtypes of one lane's state; traced once per problem."""
    leaves, structure = jax.tree.flatten(start_shapes(problem, data))
    return _lane_shapes(problem, tuple(leaves), structure, hyper_names)


def lane_state_bytes(
    problem: Problem, data: Mapping[str, PyTree], hyper_names: tuple[str, ...]
) -> int:
    """Bytes of one lane's `LaneState`, without allocating it."""
    return tree_bytes(lane_shapes(problem, data, hyper_names))


def tree_bytes(tree: PyTree) -> int:
    """Bytes of a pytree of arrays, or of their shapes.

    >>> tree_bytes({"a": np.zeros((2, 3), np.float32), "b": np.zeros(2, np.int8)})
    26
    """
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def beginning_shapes(problem: Problem, data: Mapping[str, PyTree]) -> Beginning:
    """The shapes and dtypes of what a lane starts with."""
    seed = jax.ShapeDtypeStruct((), np.uint32)
    with precision(problem.dtype):
        start = functools.partial(beginning, problem)
        return jax.eval_shape(start, start_shapes(problem, data), seed)


def frozen_shapes(problem: Problem, data: Mapping[str, PyTree]) -> PyTree:
    """The shapes and dtypes of the frozen parameters; () where all are trained."""
    if problem.task.trains is None:
        return ()
    return frozen_of(problem, start_shapes(problem, data), beginning_shapes(problem, data).frozen)


def start_shapes(problem: Problem, data: Mapping[str, PyTree]) -> dict[str, PyTree]:
    """The shapes and dtypes of what `beginning` reads: a training batch of one, given weights."""

    def shape(name: str, leaf: PyTree) -> jax.ShapeDtypeStruct:
        whole = leaf.shape if name == GIVEN else (1, *leaf.shape[1:])
        return jax.ShapeDtypeStruct(whole, held_dtype(name, leaf, problem.dtype))

    return {
        name: jax.tree.map(functools.partial(shape, name), data[name])
        for name in ("train", GIVEN)
        if name in data
    }


@kept_with(lambda problem, *rest: problem.task.init)
def _lane_shapes(
    problem: Problem,
    leaves: Sequence[jax.ShapeDtypeStruct],
    structure: PyTree,
    hyper_names: tuple[str, ...],
) -> LaneState:
    def start(data: Mapping[str, PyTree]) -> LaneState:
        params, model, _ = beginning(problem, data, 0)
        hyper = {name: jnp.full((), 0.1, dtype=problem.dtype) for name in hyper_names}
        return initial_state(problem, params, model, hyper, jnp.ones((), bool), 0)

    with precision(problem.dtype):
        return jax.eval_shape(start, jax.tree.unflatten(structure, leaves))
