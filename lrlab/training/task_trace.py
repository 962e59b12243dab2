"""What a task's own functions read and measure, found by tracing them before anything compiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax

from lrlab.core.hyper import Reads, Recording
from lrlab.engine.binding import beginning, bound, frozen_of
from lrlab.engine.devices import precision
from lrlab.engine.host_data import held_dtype
from lrlab.engine.state import start_shapes
from lrlab.rng import key
from lrlab.types import LaneContext, Problem, PyTree, TaskFunctions


class Traced(NamedTuple):
    """`reads`: the lane's scalars that functions of the task look at."""

    reads: frozenset[str] = frozenset()


def follows_lane(problem: Problem) -> bool:
    """Whether the task has functions that may look at a lane's scalars."""
    task = problem.task
    return task.step is not None or (
        task.bind is not None and task.bind(LaneContext({})) is not task
    )


def traced(problem: Problem, data: Mapping[str, PyTree], names: tuple[str, ...]) -> Traced:
    """Traces a training step and the evaluation of the task's functions; nothing is computed.

    Args:
        names: every entry that `hyper` will have.

    Raises:
        FieldError: a function reads what is not there.
    """
    if not follows_lane(problem):
        return Traced()
    reads = Reads(set())
    count = problem.batch_size or problem.num_examples

    def shape(split: str, leaf: PyTree, rows: int) -> jax.ShapeDtypeStruct:
        rows = min(rows, leaf.shape[0])
        return jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), held_dtype(split, leaf, problem.dtype))

    splits = {
        split: jax.tree.map(lambda leaf, split=split: shape(split, leaf, count), data[split])
        for split in ("train", *problem.splits)
        if split in data
    }
    scalars = {name: jax.ShapeDtypeStruct((), problem.dtype) for name in names}

    def recording(context: LaneContext) -> TaskFunctions:
        assert task.bind is not None
        return task.bind(context._replace(hyper=Recording(context.hyper, reads)))

    task = problem.task
    recorded = problem._replace(task=task._replace(bind=recording))

    def once(
        begins: Mapping[str, PyTree], splits: Mapping[str, PyTree], scalars: Mapping[str, PyTree]
    ) -> None:
        noise = key(0, "noise")
        params, state, drawn = beginning(problem, begins, 0)
        functions = bound(recorded, scalars, frozen_of(problem, begins, drawn))
        functions.loss(params, state, splits.get("train"), noise)
        for split in problem.splits:
            functions.evaluate(params, state, splits.get(split), noise)

    with precision(problem.dtype):
        jax.eval_shape(once, start_shapes(problem, data), splits, scalars)
    return Traced(frozenset(reads.names))
