"""Probes on one lane: what they see, when they look, and whether they can, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError, within
from lrlab.engine.binding import bound
from lrlab.engine.devices import precision
from lrlab.engine.host_data import dtype_on_host
from lrlab.engine.shapes import Scalar, Seed, Step
from lrlab.engine.state import (
    LaneState,
    frozen_shapes,
    lane_shapes,
    scaled,
    scheduled,
    transformation,
)
from lrlab.rng import key
from lrlab.types import Array, Hyper, LaneView, Params, Probe, Problem, PyTree


def view_of(
    problem: Problem,
    state: LaneState,
    start: Callable[[], tuple[Params, PyTree]],
    data: PyTree,
    seed: Seed,
    hyper: Hyper,
    step: Step,
    frozen: PyTree = (),
) -> LaneView:
    """The lane after `step` updates; `start() -> (params, model)` is its seed's beginning."""
    now = scheduled(problem, hyper, jnp.minimum(step, problem.steps - 1))

    def initial() -> tuple[Params, PyTree]:
        params, model = start()
        return scaled(params, hyper), model

    def update(
        grads: Params, value: Array, value_fn: Callable[[Params], Array]
    ) -> tuple[Params, PyTree]:
        return transformation(problem, now).update(
            grads, state.optimizer, state.params, value=value, grad=grads, value_fn=value_fn
        )

    def elapsed() -> Array:
        pace = None if problem.optimizer.dynamics is None else problem.optimizer.dynamics.pace
        assert pace is not None, "only where the optimizer follows gradient flow"
        steps = jnp.arange(problem.steps)
        times = jax.vmap(lambda at: problem.schedule(hyper, at) * pace(hyper, at))(steps)
        return jnp.sum(jnp.where(steps < step, times, 0))

    return LaneView(
        task=bound(problem, now, frozen),
        params=state.params,
        model=state.model,
        optimizer=state.optimizer,
        dynamics=problem.optimizer.dynamics,
        data=data,
        hyper=now,
        step=step,
        batch_size=problem.batch_size,
        fixed_key=key(seed, "evaluation"),
        key=key(seed, "probes", step),
        initial=initial,
        update=update,
        elapsed=elapsed,
    )


def measured(problem: Problem, view: LaneView, before: Step) -> dict[str, Scalar]:
    """What the probes measure, scalars by name; nan from one that has no turn at this evaluation.

    `before`: updates done at the evaluation before this one, -1 at the first. Whether a probe has
    its turn does not depend on the lane, so that `cond` stays one under `vmap` and saves its cost.
    """
    values: dict[str, Array] = {}
    for probe in problem.probes:
        shapes = jax.eval_shape(lambda probe=probe: _scalars(probe, view, problem.dtype))
        turn = True
        if probe.every is not None:
            turn = view.step // probe.every > before // probe.every
            turn |= (before < 0) | (view.step >= problem.steps)
        if turn is True:
            values |= _scalars(probe, view, problem.dtype)
            continue
        values |= jax.lax.cond(
            turn,
            lambda probe=probe: _scalars(probe, view, problem.dtype),
            lambda shapes=shapes: jax.tree.map(
                lambda leaf: jnp.full(leaf.shape, jnp.nan, leaf.dtype), shapes
            ),
        )
    return values


def _scalars(probe: Probe, view: LaneView, dtype: str) -> dict[str, Array]:
    try:
        values = {name: jnp.asarray(v, dtype) for name, v in probe.measure(view).items()}
    except FieldError as error:
        raise error.reworded(f"probe {probe.name!r}: {error}") from error
    except ValueError as error:
        raise ValueError(f"probe {probe.name!r}: {error}") from error
    for name, value in values.items():
        taken = name == "lr" or name.startswith(("lr_", "train_", "learning_", "effective_lr"))
        if value.shape != () or taken:
            raise ValueError(
                f"probe {probe.name!r}: {name!r} must be a scalar (its shape is {value.shape}) and "
                "not be named like a training metric"
            )
    return values


def check_probes(
    problem: Problem, data: Mapping[str, PyTree], hyper_names: tuple[str, ...]
) -> None:
    """Traces every probe once, without computing anything.

    Raises:
        FieldError: a probe cannot measure this problem, or two give the same name; it says which.
    """
    if not problem.probes:
        return
    if problem.task.step is not None:
        raise FieldError(
            "probes",
            "probes need parameters and a loss to differentiate, and the state of a step of one's "
            "own says neither; give the task as Task.custom, or measure it in the step's metrics",
        )
    state = lane_shapes(problem, data, hyper_names)
    if any(
        jnp.issubdtype(leaf.dtype, jnp.complexfloating) for leaf in jax.tree.leaves(state.params)
    ):
        raise FieldError("probes", "probes measure real parameters, and some of these are complex")
    train = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, dtype_on_host(leaf, problem.dtype)),
        data.get("train"),
    )

    def look(probe: Probe) -> Callable[..., dict[str, Array]]:
        def names(
            state: LaneState, train: PyTree, hyper: Hyper, frozen: PyTree
        ) -> dict[str, Array]:
            seed, step = jnp.zeros((), jnp.uint32), jnp.zeros((), jnp.int32)
            start = lambda: (state.params, state.model)  # noqa: E731
            view = view_of(problem, state, start, train, seed, hyper, step, frozen)
            return _scalars(probe, view, problem.dtype)

        return names

    with precision(problem.dtype):
        hyper = {name: jax.ShapeDtypeStruct((), problem.dtype) for name in hyper_names}
        frozen = frozen_shapes(problem, data)
        taken: dict[str, str] = {}
        for number, probe in enumerate(problem.probes):
            with within("probes", str(number)):
                for name in jax.eval_shape(look(probe), state, train, hyper, frozen):
                    if name in taken:
                        raise ValueError(
                            f"probes {taken[name]!r} and {probe.name!r} both measure {name!r}; "
                            "keep one of them"
                        )
                    taken[name] = probe.name
