"""The record while training fills it, and what of it a checkpoint holds."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.records import NOT_RUN, OK, PRUNED, LaneRecord, Metric, TimeAxis, blank_record
from lrlab.engine.limits import LIMITS
from lrlab.types import Lanes

LANE_ARRAYS = ("outcome", "diverged_at", "last_loss", "steps_trained")
"""Fields of a record with one value per lane, which every checkpoint holds."""


class Saved(NamedTuple):
    """An unfinished run as a recorder gives it back.

    `record` holds the results so far; `lanes` int[n] stand at step `step` of cohort `cohort`
    (step 0: that cohort has not begun) and `leaves` are the arrays of their states [n, ...], in
    tree order. `capacity`: lanes per cohort (0: not recorded).
    """

    record: LaneRecord
    cohort: int
    step: int
    lanes: np.ndarray
    leaves: Sequence[np.ndarray]
    capacity: int = 0


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
    lanes: np.ndarray,
    block: np.ndarray,
    spill_bytes: int = LIMITS.spill_bytes,
) -> None:
    """Puts `block` [k, n] of metric `name` into rows `first..first+k` of the lanes int[n].

    The metric's whole array is made of nan when it is first seen, on the axis that it has from then
    on; one larger than `spill_bytes` lies in a file.
    """
    if name not in record.metrics:
        length = len(record.steps if axis == "step" else record.eval_steps)
        shape = (length, len(record.outcome))
        record.metrics[name] = Metric(_rows_of_nan(shape, block.dtype, spill_bytes), axis)
    record.metrics[name].values[first : first + len(block), lanes] = block


def write_initial(record: LaneRecord, name: str, lanes: np.ndarray, values: np.ndarray) -> None:
    """Puts `values` [n] of metric `name` before the first update where they belong."""
    if name not in record.initial:
        record.initial[name] = np.full(len(record.outcome), np.nan, values.dtype)
    record.initial[name][lanes] = values


def _rows_of_nan(shape: tuple[int, int], dtype: np.dtype, spill_bytes: int) -> np.ndarray:
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


def snapshot(
    record: LaneRecord, lanes: np.ndarray | None = None, leaves: Sequence[np.ndarray] = ()
) -> dict[str, np.ndarray]:
    """A flat dict of arrays from which, with the recorded rows, the run can continue."""
    arrays = {name: getattr(record, name).copy() for name in LANE_ARRAYS}
    arrays |= {f"initial_{name}": values.copy() for name, values in record.initial.items()}
    arrays["lanes"] = np.empty(0, np.int64) if lanes is None else lanes
    return arrays | {f"state_{index:04d}": leaf for index, leaf in enumerate(leaves)}


def restore(
    arrays: Mapping[str, np.ndarray],
    place: Mapping[str, float],
    metrics: Mapping[str, Metric],
    lanes: Lanes,
    eval_steps: Sequence[int],
    steps: int,
) -> Saved:
    """The inverse of `snapshot`: `place` and `metrics` are what the recorder was given."""
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
    cohort, step = int(place["cohort"]), int(place["step"])
    capacity = int(place.get("capacity", 0))
    return Saved(record, cohort, step, arrays["lanes"], leaves, capacity)
