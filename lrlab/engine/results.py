"""The arrays that training fills, and what of them a checkpoint holds."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab.types import OUTCOMES, Trained

OK, DIVERGED, PRUNED, NOT_RUN = range(len(OUTCOMES))

SPILL_BYTES = 512 << 20
"""Rows of a metric that take more lie in a file (where temporary files go)."""

LANE_ARRAYS = ("outcome", "diverged_at", "last_loss", "steps_trained")


class Saved(NamedTuple):
    """An unfinished run as a recorder gives it back.

    `trained` holds the results so far; `lanes` int[n] stand at step `step` of cohort `cohort`
    (step 0: that cohort has not begun) and `leaves` are the arrays of their states [n, ...], in
    tree order. `capacity`: lanes per cohort (0: not recorded).
    """

    trained: Trained
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
        if rung < steps and rung <= reached and (_outcome_at(saved.trained, rung) == NOT_RUN).any()
    ]


def _outcome_at(trained: Trained, step: int) -> np.ndarray:
    """`outcome` when every lane had come to `step`: what ended later was under way."""
    outcome = trained.outcome.copy()
    outcome[(trained.outcome == OK) | (trained.diverged_at >= step)] = NOT_RUN
    outcome[(trained.outcome == PRUNED) & (trained.steps_trained >= step)] = NOT_RUN
    return outcome


def rewound(trained: Trained, step: int) -> Trained:
    """Results as they were when every lane had come to `step`, before lanes were cut there.

    >>> late = blank(4, 2, [2, 4])._replace(
    ...     outcome=np.array([PRUNED, OK], np.int8), steps_trained=np.array([2, 4])
    ... )
    >>> rewound(late, 2).outcome.tolist(), rewound(late, 2).steps_trained.tolist()
    ([3, 3], [2, 2])
    """
    early, until = trained.steps < step, trained.eval_steps <= step
    return trained._replace(
        history={k: np.where(early[:, None], v, np.nan) for k, v in trained.history.items()},
        evaluated={k: np.where(until[:, None], v, np.nan) for k, v in trained.evaluated.items()},
        outcome=_outcome_at(trained, step),
        diverged_at=np.where(trained.diverged_at >= step, -1, trained.diverged_at),
        steps_trained=np.minimum(trained.steps_trained, step),
    )


def blank(steps: int, lanes: int, eval_steps: Sequence[int]) -> Trained:
    """Results before anything is trained."""
    return Trained(
        steps=np.arange(steps),
        history={},
        eval_steps=np.asarray(eval_steps, np.int64),
        evaluated={},
        initial={},
        outcome=np.full(lanes, NOT_RUN, np.int8),
        diverged_at=np.full(lanes, -1, np.int64),
        last_loss=np.full(lanes, np.nan),
        steps_trained=np.zeros(lanes, np.int64),
        seconds=0.0,
    )


def write(
    table: dict[str, np.ndarray],
    name: str,
    shape: tuple[int, ...],
    first: int,
    lanes: np.ndarray,
    block: np.ndarray,
) -> None:
    """Puts `block` [k, n] (or [n] for a table of one row) of metric `name` where it belongs.

    `shape` is the metric's whole array, made of nan when the metric is first seen.
    """
    if name not in table:
        table[name] = _blank(shape, block.dtype)
    if len(shape) == 1:
        table[name][lanes] = block
    else:
        table[name][first : first + len(block), lanes] = block


def _blank(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of nan; a large one lies in a file without a name, which the system may write out.

    A million lanes' rows would not leave room for the lanes.
    """
    size = int(np.prod(shape)) * dtype.itemsize
    if size <= SPILL_BYTES:
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
    trained: Trained, lanes: np.ndarray | None = None, leaves: Sequence[np.ndarray] = ()
) -> dict[str, np.ndarray]:
    """A flat dict of arrays from which, with the recorded rows, the run can go on."""
    arrays = {name: getattr(trained, name).copy() for name in LANE_ARRAYS}
    arrays |= {f"initial_{name}": values.copy() for name, values in trained.initial.items()}
    arrays["lanes"] = np.empty(0, np.int64) if lanes is None else lanes
    return arrays | {f"state_{index:04d}": leaf for index, leaf in enumerate(leaves)}


def restore(
    arrays: Mapping[str, np.ndarray],
    place: Mapping[str, float],
    history: dict[str, np.ndarray],
    evaluated: dict[str, np.ndarray],
    eval_steps: Sequence[int],
    steps: int,
) -> Saved:
    """The inverse of `snapshot`: `history` [T, N] and `evaluated` [E, N] are the recorded rows."""
    trained = blank(steps, len(arrays["outcome"]), eval_steps)._replace(
        history=history,
        evaluated=evaluated,
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
    return Saved(trained, cohort, step, arrays["lanes"], leaves, capacity)
