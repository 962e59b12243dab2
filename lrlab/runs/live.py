"""A run while another process writes it: what its last commit holds, lanes that are still under way
included. Takes no lock and writes nothing."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lrlab.core.errors import RunError
from lrlab.core.paths import resolved
from lrlab.core.records import DIVERGED, NOT_RUN, OK, OUTCOMES, PRUNED, LaneRecord
from lrlab.core.text import JsonObject
from lrlab.runs.checkpoint import some_arrays
from lrlab.runs.folder import finished, read_info
from lrlab.runs.lock import holder_lives
from lrlab.runs.reader import cells_of, committed, merged, stage_folder, stages
from lrlab.runs.seals import read_sealed

ATTEMPTS = 4
"""How often a stage is read while commits come in between. A checkpoint outlives the next commit,
which is seconds later, so that one more attempt is the usual end."""

TRAINING = len(OUTCOMES)
"""Stands for a lane under way until stages are put together; no record outside holds it."""

LANE_ARRAYS = ("outcome", "diverged_at", "last_loss", "steps_trained")
"""The fields of a record that every checkpoint holds, a value per lane."""

Version = tuple[tuple[str, int, int], ...]
"""Name, time of the last change in ns, and bytes of every file that a commit or an end renames."""


class Standing(NamedTuple):
    """How far a run is: lane-steps `done` of `total`, of the stage that is under way (a search does
    not know its later ones); `alive` of `lanes` begun there have not ended early; `seconds` of
    training in that stage; `committed`, the time of the last commit, in seconds since 1970;
    `stage` from 1."""

    done: int
    total: int
    alive: int
    lanes: int
    seconds: float
    committed: float
    stage: int = 1

    @property
    def left(self) -> float | None:
        """Seconds of training to the end of the stage at the pace so far; None before the first
        step.

        >>> Standing(25, 100, 2, 2, 10.0, 0.0).left
        30.0
        """
        if not self.done or self.seconds <= 0:
            return None
        return (self.total - self.done) * self.seconds / self.done


class LiveRun(NamedTuple):
    """A run as its last commit left it.

    `parts`: the record of each stage, a grid, and bool[grid] of the lanes that are under way: their
    outcome is "ok" in the record, as if they ended where they are. `whole` is all of them on one
    grid.
    """

    info: JsonObject
    whole: tuple[LaneRecord, np.ndarray]
    parts: list[tuple[LaneRecord, np.ndarray]]
    standing: Standing


def version(path: Path) -> Version:
    """What changes with every commit of a run, and with its end. Costs a few `stat` calls.

    >>> version(Path("/nowhere/run"))
    ()
    """
    base = str(path)  # not pathlib's: a list of thousands of runs asks every second
    names = ["run.json", "summary.json", "commit.json"]
    with contextlib.suppress(OSError):
        names += [f"stages/{name}/commit.json" for name in sorted(os.listdir(f"{base}/stages"))]
    seen = []
    for name in names:
        with contextlib.suppress(OSError):
            found = os.stat(f"{base}/{name}")
            seen.append((name, found.st_mtime_ns, found.st_size))
    return tuple(seen)


def state(path: Path, info: JsonObject) -> str:
    """What became of a run: "finished", "running", "interrupted", "failed", or "stopped" (it says
    that it is running, but its process on this machine has ended: a kill, a loss of power). Of
    another machine's process what the run says is taken."""
    said = str(info.get("status"))
    return "stopped" if said == "running" and holder_lives(path) is False else said


def read_live(path: str | os.PathLike[str]) -> LiveRun:
    """What an unfinished run holds at its last commit.

    Raises:
        RunError: no run folder, nothing committed yet, or something damaged.
    """
    folder = resolved(path)
    info = read_info(folder)
    names = stages(folder)
    if not names:
        raise RunError(folder, "nothing is committed yet")
    read = [_stage(folder, name) for name in names]
    parts = [record for record, _ in read]
    whole = parts[0] if len(parts) == 1 else merged(parts)
    modes = dict(info.get("modes") or {})
    standing = read[-1][1]._replace(stage=len(names))
    return LiveRun(
        info, _split(whole.directed(modes)), [_split(part) for part in parts], standing
    )  # fmt: skip


def _split(record: LaneRecord) -> tuple[LaneRecord, np.ndarray]:
    training = record.outcome == TRAINING
    outcome = np.where(training, OK, record.outcome).astype(record.outcome.dtype)
    return record._replace(outcome=outcome), training


def _stage(path: Path, name: str) -> tuple[LaneRecord, Standing]:
    """A stage at one commit: where the next one comes while it is read, it is read again."""
    folder = stage_folder(path, name)
    for attempt in range(ATTEMPTS):
        commit = read_sealed(folder / "commit.json")
        try:
            read = _at(folder, commit)
        except RunError:
            if attempt == ATTEMPTS - 1 or _number(folder) == commit.get("number"):
                raise
            continue
        if _number(folder) == commit.get("number") or attempt == ATTEMPTS - 1:
            return read
    raise AssertionError("the last attempt returns or raises")


def _number(folder: Path) -> object:
    return read_sealed(folder / "commit.json").get("number")


def _at(folder: Path, commit: JsonObject) -> tuple[LaneRecord, Standing]:
    time = (folder / "commit.json").stat().st_mtime
    if commit.get("complete"):
        record = committed(folder, commit, lambda: np.empty(0, np.int64))
        return record, _standing(record, time)
    held = list(commit["dtypes"])
    wanted = [*LANE_ARRAYS, *(name for name in held if name.startswith("initial_"))]
    arrays = some_arrays(folder, commit, wanted)
    record = committed(folder, commit, lambda: arrays["steps_trained"])
    size = record.outcome.size
    cells = cells_of(commit, size, len(arrays["outcome"]))
    if not len(cells):
        raise RunError(folder, "was begun by an older lrlab; it can be watched once it has ended")
    begun = (arrays["outcome"] == NOT_RUN) & (arrays["steps_trained"] > 0)
    arrays["outcome"] = np.where(begun, TRAINING, arrays["outcome"]).astype(np.int8)
    flat = record.flat()
    filled = {}
    for name in LANE_ARRAYS:
        values = getattr(flat, name).astype(arrays[name].dtype)
        values[cells] = arrays[name]
        filled[name] = values
    initial = {}
    for name in wanted[len(LANE_ARRAYS) :]:
        values = np.full(size, np.nan, arrays[name].dtype)
        values[cells] = arrays[name]
        initial[name.removeprefix("initial_")] = values
    flat = flat._replace(initial=initial, **filled)
    return flat.grid(record.axes), _standing(flat, time, cells)


def _standing(record: LaneRecord, time: float, cells: np.ndarray | None = None) -> Standing:
    flat = record.flat()
    some = np.arange(flat.outcome.size) if cells is None else cells
    outcome, trained = flat.outcome[some], flat.steps_trained[some]
    ended = np.isin(outcome, (OK, DIVERGED, PRUNED))
    steps = len(record.steps)
    lost = int(np.isin(outcome, (DIVERGED, PRUNED)).sum())
    total = int(np.where(ended, trained, steps).sum())
    done = int(trained.sum())
    return Standing(done, total, len(some) - lost, len(some), float(record.seconds), time)


def status_of(path: Path) -> tuple[JsonObject, str]:
    """`run.json` and the run's state.

    Raises:
        RunError: no run folder, or damaged.
    """
    info = read_info(path)
    return info, "finished" if finished(info) else state(path, info)
