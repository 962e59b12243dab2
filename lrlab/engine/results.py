"""The record while training fills it, and what of it a checkpoint holds."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.records import NOT_RUN, OK, PRUNED, LaneRecord, Metric, TimeAxis, blank_record
from lrlab.core.text import JsonObject
from lrlab.core.weights import KEPT_LEAF
from lrlab.engine.feed import states_of
from lrlab.engine.shapes import Block, LaneNumbers, LaneValues, Leaves
from lrlab.types import Lanes, Recorder

LANE_ARRAYS = ("outcome", "diverged_at", "last_loss", "steps_trained")
"""Fields of a record with one value per lane, which every checkpoint holds."""

AT_STEP = "at_step"
"""The array of a commit that holds `Saved.at`."""


class LaneStates(NamedTuple):
    """The lanes int[n] that are in the middle of training, and the arrays of their states [n, ...],
    in tree order."""

    lanes: LaneNumbers = np.empty(0, np.int64)
    leaves: Sequence[Leaves] = ()


class Saved(NamedTuple):
    """An unfinished run as a recorder gives it back.

    `record` holds the results so far; `states` are those at step `step` of cohort `cohort` (step 0:
    that cohort has not begun). `capacity`: lanes per cohort (0: not recorded). `kept`: lanes whose
    weights are kept, and these. `streams`: where the reading of each seed's data was, if they
    stream. `at` int[n]: the updates that each lane of `states` has made, where they are not all at
    `step`, which then is the last rung that was judged; such a run is continued by
    `lrlab.cluster.driver`.
    """

    record: LaneRecord
    cohort: int
    step: int
    states: LaneStates
    capacity: int = 0
    kept: LaneStates = LaneStates()
    streams: Mapping[int, JsonObject] = {}
    at: np.ndarray | None = None


def passed(saved: Saved, rungs: Sequence[int], steps: int) -> list[int]:
    """The rungs at which an unfinished run of one cohort was judged already."""
    reached = steps if saved.cohort > 0 else saved.step
    return [
        rung
        for rung in sorted(rungs)
        if rung < steps and rung <= reached and (_outcome_at(saved.record, rung) == NOT_RUN).any()
    ]


def _outcome_at(record: LaneRecord, step: int) -> np.ndarray:
    """`outcome` when every lane had come to `step`: what ended later was under way."""
    outcome = record.outcome.copy()
    outcome[(record.outcome == OK) | (record.diverged_at >= step)] = NOT_RUN
    outcome[(record.outcome == PRUNED) & (record.steps_trained >= step)] = NOT_RUN
    return outcome


def rewound(record: LaneRecord, step: int) -> LaneRecord:
    """A record as it was when every lane had come to `step`, before lanes were cut there.

    >>> late = blank_record({"lr": np.ones(2)}, 4, [2, 4])._replace(
    ...     outcome=np.array([PRUNED, OK], np.int8), steps_trained=np.array([2, 4])
    ... )
    >>> rewound(late, 2).outcome.tolist(), rewound(late, 2).steps_trained.tolist()
    ([3, 3], [2, 2])
    """
    early = {"step": record.steps < step, "eval_step": record.eval_steps <= step}
    metrics = {
        name: one._replace(values=np.where(early[one.axis][:, None], one.values, np.nan))
        for name, one in record.metrics.items()
    }
    return record._replace(
        metrics=metrics,
        outcome=_outcome_at(record, step),
        diverged_at=np.where(record.diverged_at >= step, -1, record.diverged_at),
        steps_trained=np.minimum(record.steps_trained, step),
    )


def write(
    record: LaneRecord,
    name: str,
    axis: TimeAxis,
    first: int,
    lanes: LaneNumbers,
    block: Block,
    spill_bytes: int,
    recorder: Recorder | None = None,
) -> None:
    """Puts `block` [k, n] of metric `name` into rows `first..first+k` of the lanes int[n], and
    hands it to the recorder.

    The metric's whole array is made of nan when it is first seen, on the axis that it has from then
    on; one larger than `spill_bytes` lies in a file.
    """
    if recorder is not None:
        recorder.rows(name, axis, first, lanes, block)
    if name not in record.metrics:
        length = len(record.steps if axis == "step" else record.eval_steps)
        shape = (length, len(record.outcome))
        record.metrics[name] = Metric(_rows_of_nan(shape, block.dtype, spill_bytes), axis)
    record.metrics[name].values[first : first + len(block), lanes] = block


def write_initial(record: LaneRecord, name: str, lanes: LaneNumbers, values: LaneValues) -> None:
    """Puts `values` [n] of metric `name` before the first update where they belong."""
    if name not in record.initial:
        record.initial[name] = np.full(len(record.outcome), np.nan, values.dtype)
    record.initial[name][lanes] = values


def _rows_of_nan(shape: tuple[int, int], dtype: np.dtype, spill_bytes: int) -> Block:
    """An array of nan; a large one lies in a file without a name, which the system may write out.

    A million lanes' rows would not leave room for the lanes.
    """
    size = int(np.prod(shape)) * dtype.itemsize
    if size <= spill_bytes:
        return np.full(shape, np.nan, dtype)
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        array = np.memmap(file, dtype, "r+", shape=shape)
    for row in array:
        row[:] = np.nan
    release(array)
    return array


def release(array: np.ndarray) -> None:
    """Lets go of the memory of an array that lies in a file; its numbers stay."""
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def snapshot(record: LaneRecord, states: LaneStates) -> dict[str, np.ndarray]:
    """A flat dict of arrays from which, with the recorded rows, the run can continue."""
    arrays = {name: getattr(record, name).copy() for name in LANE_ARRAYS}
    arrays |= {f"initial_{name}": values.copy() for name, values in record.initial.items()}
    arrays["lanes"] = states.lanes
    return arrays | {f"state_{index:04d}": leaf for index, leaf in enumerate(states.leaves)}


def restore(
    arrays: Mapping[str, np.ndarray],
    place: Mapping[str, int | float],
    metrics: Mapping[str, Metric],
    lanes: Lanes,
    eval_steps: Sequence[int],
    steps: int,
) -> Saved:
    """The inverse of `snapshot`: `place` and `metrics` are what the recorder got."""
    record = blank_record(lanes.columns, steps, eval_steps)._replace(
        metrics=dict(metrics),
        initial={
            name.removeprefix("initial_"): np.array(values)
            for name, values in arrays.items()
            if name.startswith("initial_")
        },
        seconds=float(place["seconds"]),
        **{name: np.array(arrays[name]) for name in LANE_ARRAYS},
    )
    leaves = [arrays[name] for name in sorted(arrays) if name.startswith("state_")]
    states = LaneStates(arrays["lanes"], leaves)
    cohort, step = int(place["cohort"]), int(place["step"])
    weights = [arrays[name] for name in sorted(arrays) if KEPT_LEAF.fullmatch(name)]
    kept = LaneStates(arrays.get("kept_lanes", np.empty(0, np.int64)), weights)
    capacity = int(place.get("capacity", 0))
    at = arrays.get(AT_STEP)
    return Saved(record, cohort, step, states, capacity, kept, states_of(arrays), at)
