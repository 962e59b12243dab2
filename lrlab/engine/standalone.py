"""A lane's methods for a loop of one's own: its schedule and its optimizer, as Optax has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from lrlab.engine.state import scheduled, transformation
from lrlab.types import Hyper, Params, Problem, PyTree


class Counted(NamedTuple):
    """An optimizer's state, and the updates that were made, int32."""

    made: Array
    inner: PyTree


def lane_schedule(
    problem: Problem, hyper: Mapping[str, float], name: str = "lr"
) -> Callable[[ArrayLike], Array]:
    """The learning rate `name` at each update of a lane, an Optax schedule; `hyper` are the lane's
    scalars. From the last update on the rate stays what it was there.
    """
    scalars = _scalars(problem, hyper)

    def rate(count: ArrayLike) -> Array:
        return jnp.asarray(_now(problem, scalars, count)[name], problem.dtype)

    return rate


def lane_optimizer(
    problem: Problem, hyper: Mapping[str, float]
) -> optax.GradientTransformationExtraArgs:
    """The optimizer of a lane with its schedule: built again in every update from that update's
    scalars, just as the engine does, and so with the same bits.

    Raises:
        ValueError: the task has a step of its own.
    """
    if problem.task.step is not None:
        raise ValueError(
            "a task with a step of its own (Task.step) has its own optimizer; answer.schedule() "
            "gives the rate of every update"
        )
    scalars = _scalars(problem, hyper)

    def init(params: Params) -> Counted:
        start = jnp.zeros((), jnp.int32)
        return Counted(start, transformation(problem, _now(problem, scalars, start)).init(params))

    def update(
        updates: Params, state: PyTree, params: Params | None = None, **extra: object
    ) -> tuple[Params, Counted]:
        method = transformation(problem, _now(problem, scalars, state.made))
        updates, inner = method.update(updates, state.inner, params, **extra)
        return updates, Counted(jnp.asarray(optax.safe_increment(state.made)), inner)

    return optax.GradientTransformationExtraArgs(init, update)


def _scalars(problem: Problem, hyper: Mapping[str, float]) -> Hyper:
    return {name: jnp.asarray(value, problem.dtype) for name, value in hyper.items()}


def _now(problem: Problem, hyper: Hyper, count: ArrayLike) -> dict[str, ArrayLike]:
    """The scalars of update `count`; after the last one, of that."""
    step = jnp.minimum(jnp.asarray(count, jnp.int32), problem.steps - 1)
    return scheduled(problem, hyper, step)
