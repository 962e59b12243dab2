"""A user's optimizer and anyone's schedule, checked by tracing before anything compiles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import partial_eval

from lrlab import rng, schedules
from lrlab.config import Experiment
from lrlab.config.field_words import hint
from lrlab.core.errors import FieldError
from lrlab.core.text import Table
from lrlab.engine.devices import precision
from lrlab.engine.state import LaneState, beginning_shapes, frozen_shapes, lane_shapes
from lrlab.engine.step import lane_step
from lrlab.optimizers.custom_checks import axes_read
from lrlab.schedules.custom import check_rates, refuse_rates
from lrlab.schedules.table import matrix
from lrlab.training.components import Schedule
from lrlab.types import Array, Hyper, Optimizer, Params, Problem, PyTree


def optimizer(
    base: Optimizer,
    problem: Problem,
    data: Mapping[str, PyTree],
    names: tuple[str, ...],
    own: Sequence[str],
    of_task: Collection[str] = (),
) -> None:
    """Traces one update of a user's optimizer, without groups or multipliers around it.

    Args:
        names: the entries of `hyper` as it sees them.
        own: the lane axes that may be meant for it.
        of_task: those that the task reads.

    Raises:
        FieldError: it cannot be traced, or does not read one of `own`.
    """
    with precision(problem.dtype):
        params = beginning_shapes(problem, data).params
        read = axes_read(base.make, params, names, problem.dtype)
    for name in own:
        if name not in read and name not in of_task:
            meant = hint(name, Experiment.model_fields)
            raise FieldError(
                (name,),
                f"{name!r} is read by nobody: neither the task, the optimizer nor the schedule "
                f"looks at it{meant or '.'} The optimizer reads: "
                f"{', '.join(sorted(read)) or 'nothing'}",
            )


def schedule(
    given: Schedule,
    shape: Callable[[Hyper, Array], Array],
    steps: int,
    arguments: Table,
    axes: Mapping[str, np.ndarray],
    dtype: str,
) -> None:
    """Whether every rate of every step can be trained with. A registered schedule at its defaults
    is known to be fine.

    Raises:
        FieldError: a step whose rate is not finite or below 0.
    """
    if isinstance(given, str):
        read = {key: axes[key] for key in axes if key in schedules.parameters(given)}
        if read or arguments:
            with precision(dtype):
                check_rates(shape, steps, read, dtype, f"schedule {given!r}")
    elif callable(given):
        with precision(dtype):
            check_rates(shape, steps, {}, dtype, "the schedule's function")
    else:
        rows = matrix(given, steps, **arguments)
        for entry, row in zip(given, rows, strict=True):
            refuse_rates(row, np.arange(steps), steps, dtype, f"{schedules.label(entry)!r}")


def reads_rate(problem: Problem, data: Table) -> bool:
    """Whether one update depends on the learning rate at all, as its program shows: on a ramp, no
    two lanes tell."""

    def update(
        rate: Array, state: LaneState, batch: PyTree, key: Array, frozen: PyTree
    ) -> tuple[Params, PyTree, PyTree]:
        step = jnp.zeros((), jnp.int32)
        new, _ = lane_step(problem, state, batch, {"lr": rate}, step, key, frozen=frozen)
        return new.params, new.optimizer, new.model

    count = problem.batch_size or problem.num_examples
    with precision(problem.dtype):
        # As the engine holds data: floats in the run's precision.
        batch = jax.tree.map(
            lambda part: jax.ShapeDtypeStruct(
                (count, *part.shape[1:]),
                jnp.dtype(problem.dtype)
                if np.issubdtype(part.dtype, np.floating)
                else jax.dtypes.canonicalize_dtype(part.dtype),
            ),
            data.get("train"),
        )
        rate = jax.ShapeDtypeStruct((), jnp.dtype(problem.dtype))
        key = jax.eval_shape(lambda: rng.key(0, "init"))
        state = lane_shapes(problem, data, ("lr",))
        program = jax.make_jaxpr(update)(
            rate, state, batch, key, frozen_shapes(problem, data)
        ).jaxpr
    _, used = partial_eval.dce_jaxpr(program, [True] * len(program.outvars))
    return bool(used[0])
