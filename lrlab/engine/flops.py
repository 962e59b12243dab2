"""Floating-point operations of a training step, counted in its program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from jax.extend.core import Jaxpr, JaxprEqn

from lrlab.core.memo import kept_with
from lrlab.engine.binding import bound
from lrlab.engine.devices import precision
from lrlab.engine.host_data import dtype_on_host
from lrlab.engine.inline import calls
from lrlab.engine.jaxprs import inner_programs, opened, shape_of
from lrlab.engine.rewriting import Note, notes
from lrlab.engine.state import (
    LaneState,
    frozen_shapes,
    lane_shapes,
    start_shapes,
    tree_bytes,
    with_fixed,
)
from lrlab.engine.step import lane_step
from lrlab.rng import key
from lrlab.types import Hyper, Params, Problem, PyTree


class StepCost(NamedTuple):
    """One lane's update: `flops` in matrix products and convolutions, the bytes of its state,
    `program`, the text of its program (the same for the same step), and the `calls` of libraries
    that CPU devices make one at a time (see `engine.inline`). `rewriting`: what tiles of several
    lanes compute in another layout, and what not (see `engine.rewriting`)."""

    flops: float
    state_bytes: int
    program: str
    calls: tuple[str, ...]
    rewriting: tuple[Note, ...] = ()


def step_cost(
    problem: Problem, data: Mapping[str, PyTree], hyper_names: tuple[str, ...]
) -> StepCost:
    """What one update of one lane costs; nothing is computed, only traced, once per problem."""

    def batch(leaf: np.ndarray) -> jax.ShapeDtypeStruct:
        rows = problem.batch_size or np.shape(leaf)[0]
        return jax.ShapeDtypeStruct((rows, *np.shape(leaf)[1:]), dtype_on_host(leaf, problem.dtype))

    parts = {**start_shapes(problem, data), "train": jax.tree.map(batch, data.get("train"))}
    leaves, structure = jax.tree.flatten(parts)
    return _step_cost(problem, tuple(leaves), structure, hyper_names)


@kept_with(lambda problem, *rest: problem.task.init)
def _step_cost(
    problem: Problem,
    leaves: tuple[jax.ShapeDtypeStruct, ...],
    structure: PyTree,
    hyper_names: tuple[str, ...],
) -> StepCost:
    with precision(problem.dtype):
        data = jax.tree.unflatten(structure, leaves)
        batch = data.get("train")
        state = lane_shapes(problem, data, hyper_names)
        hyper = dict.fromkeys(hyper_names, jax.ShapeDtypeStruct((), problem.dtype))
        frozen = frozen_shapes(problem, data)
        traced = jax.make_jaxpr(
            lambda state, batch, hyper, frozen: lane_step(
                problem, state, batch, hyper, 0, key(0), frozen=frozen
            )
        )(state, batch, hyper, frozen)
        said = _notes(problem, state, batch, hyper, frozen) if problem.rewrite else ()
    return StepCost(count(traced.jaxpr), tree_bytes(state), str(traced), calls(traced), said)


def _notes(
    problem: Problem, state: LaneState, batch: PyTree, hyper: Hyper, frozen: PyTree
) -> tuple[Note, ...]:
    def loss(weights: tuple[Params, PyTree], model: PyTree, batch: PyTree, hyper: Hyper) -> PyTree:
        functions = bound(problem, with_fixed(problem, hyper), weights[1])
        return functions.loss(weights[0], model, batch, key(0))

    if problem.task.step is not None:
        return ()
    return notes(loss, (state.params, frozen), state.model, batch, hyper)


def count(jaxpr: Jaxpr) -> float:
    """2 x multiply-adds of every matrix product and convolution, scans multiplied.

    >>> import jax, jax.numpy as jnp
    >>> count(jax.make_jaxpr(jnp.dot)(jnp.ones((3, 4)), jnp.ones((4, 5))).jaxpr)
    120.0
    """
    total = 0.0
    for equation in jaxpr.eqns:
        name, options = equation.primitive.name, equation.params
        if name == "dot_general":
            (contracted, _), _ = options["dimension_numbers"]
            left = shape_of(equation.invars[0])
            depth = math.prod(left[axis] for axis in contracted)
            total += 2.0 * math.prod(shape_of(equation.outvars[0])) * depth
        elif name == "conv_general_dilated":
            total += _convolution(equation)
        elif name in ("lrlab_convolve", "lrlab_dense"):  # what is inside is not counted again
            total += _own_product(equation)
            continue
        repeated = options.get("length", 1) if name == "scan" else 1
        total += repeated * sum(count(opened(inner)) for inner in inner_programs(equation))
    return total


def _convolution(equation: JaxprEqn) -> float:
    """The products that meet data, not the zeros of dilated gradients: each of a layer's three
    convolutions (forward, by input, by kernel) costs what the forward one does."""
    options = equation.params
    numbers = options["dimension_numbers"]
    left, right = (shape_of(variable) for variable in equation.invars[:2])
    out = shape_of(equation.outvars[0])
    inner = math.prod(right[axis] for axis in numbers.rhs_spec[1:])
    outputs = math.prod(out)
    if any(step > 1 for step in options["lhs_dilation"] or ()):
        outputs = math.prod(left) // left[numbers.lhs_spec[1]] * out[numbers.out_spec[1]]
    return 2.0 * outputs * inner / options["batch_group_count"]


def _own_product(equation: JaxprEqn) -> float:
    """Of a primitive of `lrlab.models.trilinear`: forward and both gradients share the products
    of an output [N, *out, O] and a kernel [*taps, C, O]; which variables these are says `gives`."""
    first, second, out = map(shape_of, (*equation.invars, *equation.outvars))
    kernel, output = {"y": (second, out), "x": (first, second), "w": (out, second)}[
        equation.params["gives"]
    ]
    return 2.0 * math.prod(output) * math.prod(kernel[:-1])
