"""A lane's functions: those of the task, bound to the lane's scalars and to frozen parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lrlab.engine.rewriting import rewritten
from lrlab.rng import key
from lrlab.types import Hyper, LaneContext, Params, Problem, PyTree, TaskFunctions

T = TypeVar("T")

GIVEN = "params"
"""The entry of a group's data, beside its splits, that holds what lanes start from: (parameters,
collections), as they were handed over."""


class Beginning(NamedTuple):
    """What a seed's lanes start from: trained parameters, what is not trained by gradients, and
    parameters that stay as they are. Trained and frozen ones are trees of one structure, None where
    the other one has its array."""

    params: Params
    model: PyTree
    frozen: PyTree = ()


def bound(
    problem: Problem, hyper: Hyper, frozen: PyTree = (), first: int | Array = 0
) -> TaskFunctions:
    """The task's functions for a lane whose scalars at this step are `hyper`; the task's very own
    where they follow from nothing else. `first`: examples before those of a part that is evaluated.
    """
    task = problem.task
    if task.bind is not None:
        scalars = by_name(problem, hyper)
        task = task.bind(LaneContext(scalars, problem.batch_size, problem.compute, first))
    if problem.rewrite:
        task = rewritten(task)
    if problem.task.trains is None:
        return task

    def with_frozen(function: Callable[..., T]) -> Callable[..., T]:
        def of_trained(trained: Params, *rest: PyTree) -> T:
            # What is frozen keeps the dtype that it was given in, and is cast where it is used.
            fixed = as_dtype(frozen, problem.dtype) if problem.compute is None else frozen
            return function(together(trained, fixed), *rest)

        return of_trained

    return task._replace(
        loss=with_frozen(task.loss),
        evaluate=None if task.evaluate is None else with_frozen(task.evaluate),
        part=None if task.part is None else with_frozen(task.part),
        outputs=None if task.outputs is None else with_frozen(task.outputs),
        features=None if task.features is None else with_frozen(task.features),
    )


def follows(task: TaskFunctions) -> bool:
    """Whether functions of a task follow from the lane that they are of, or from the batch size."""
    return task.bind is not None and task.bind(LaneContext({})) is not task


def by_name(problem: Problem, hyper: Hyper) -> dict[str, PyTree]:
    """`hyper` as functions of the user's read it: with several learning rates `hyper["lr"]` is a
    dict of theirs, by the names of their groups."""
    groups = [name for name in problem.rates if name != "lr" and name in hyper]
    rest = {name: value for name, value in hyper.items() if name not in groups}
    if not groups:
        return rest
    return {**rest, "lr": {name.removeprefix("lr_"): hyper[name] for name in groups}}


def beginning(problem: Problem, data: Mapping[str, PyTree], seed: ArrayLike) -> Beginning:
    """What a seed's lanes start from, in the dtypes of the run: drawn, or given. Frozen parameters
    that were given are not here: the data hold them (`frozen_of`)."""
    task = problem.task
    if task.step is not None:  # its state begins with the lane's own scalars
        return Beginning((), ())
    example = jax.tree.map(lambda leaf: leaf[:1], data.get("train"))
    params, model = task.init(key(seed, "init"), example)
    given = data.get(GIVEN)
    if given is not None:
        params = given[0]
        model = {**model, **given[1]} if given[1] else model
    frozen: PyTree = ()
    if task.trains is not None:
        params, frozen = apart(task, params)
    return Beginning(
        params=as_dtype(params, problem.parameters or problem.dtype),
        model=as_dtype(model, problem.dtype),
        frozen=frozen if given is None else (),
    )


def frozen_of(problem: Problem, data: Mapping[str, PyTree], drawn: PyTree) -> PyTree:
    """The frozen parameters of a device: those that were given, else the ones `drawn` for a seed;
    () where all are trained."""
    given = data.get(GIVEN)
    if problem.task.trains is None or given is None:
        return drawn
    return apart(problem.task, given[0])[1]


def apart(task: TaskFunctions, params: Params) -> tuple[Params, Params]:
    """(trained parameters, frozen ones), each with None in the places of the other."""
    assert task.trains is not None
    trains = task.trains(params)
    trained = jax.tree.map(lambda leaf, mine: leaf if mine else None, params, trains)
    return trained, jax.tree.map(lambda leaf, mine: None if mine else leaf, params, trains)


def together(trained: Params, frozen: Params) -> Params:
    """The inverse of `apart`.

    >>> together({"body": None, "head": 1.0}, {"body": 2.0, "head": None})
    {'body': 2.0, 'head': 1.0}
    """
    return jax.tree.map(
        lambda mine, other: other if mine is None else mine,
        trained,
        frozen,
        is_leaf=lambda leaf: leaf is None,
    )


def as_dtype(tree: PyTree, dtype: str) -> PyTree:
    """`tree` with every floating array in `dtype`, every complex one in the complex numbers of that
    precision; integers, keys and the rest as they are."""

    def cast(leaf: PyTree) -> Array:
        leaf = jnp.asarray(leaf)
        if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            return leaf.astype(jnp.promote_types(dtype, jnp.complex64))
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
