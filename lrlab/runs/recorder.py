"""One call of the engine, recorded: rows in zarr, states in a checkpoint, one rename for both."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.errors import RunError, Unwritable
from lrlab.core.files import why
from lrlab.core.records import Metric, TimeAxis
from lrlab.core.text import JsonObject, Table
from lrlab.runs import row_buffer, zarr_arrays
from lrlab.runs.checkpoint import load_checkpoint, save_checkpoint
from lrlab.runs.integrity import check_files, discard
from lrlab.runs.seals import read_sealed, write_sealed

if TYPE_CHECKING:
    from tensorstore import TensorStore

INTERVAL = 3.0
"""Seconds between commits, at least; a crash loses no more than this and a segment."""

SHARE = 20.0
"""A commit waits for so many times as long as the one before took to write, so that writing, though
it happens beside training, takes less than 5 % of a run where disk or processor are slow."""

LONGEST = 60.0
"""Seconds that it waits at most for that reason."""

PENDING = 128 << 20
"""Bytes of rows that wait for a commit, about; more go into their arrays at once, where no reader
counts them before the commit. Writing takes as much again for a moment."""

BESIDE = 64 << 20
"""Bytes of states that are written beside the stage that follows, at the end of one. More are
waited for: they would lie in memory beside the states of that stage."""

PER_LANE = ("outcome", "diverged_at", "last_loss", "steps_trained")
"""What becomes of each lane, beside its losses before training (`initial_*`)."""


class Stage:
    """A recorder (see `lrlab.types.Recorder`) that writes one stage of a run folder.

    A class because it holds what is under way: rows not yet written and a thread that writes. The
    folder is always at its last commit: `commit.json` names the checkpoint and is renamed last, and
    rows after it are written again, with the same bits, when the run continues.
    """

    def __init__(
        self,
        folder: Path,
        steps: int,
        eval_steps: Sequence[int],
        axes: Mapping[str, np.ndarray],
        cells: np.ndarray,
        interval: float | None = None,
        updates: np.ndarray | None = None,
        after: Stage | None = None,
    ) -> None:
        self.folder, self.cells, self._after = folder, np.asarray(cells), after
        self.interval = INTERVAL if interval is None else interval
        self.lengths: dict[TimeAxis, int] = {"step": steps, "eval_step": len(eval_steps)}
        self.axes = {name: np.asarray(values) for name, values in axes.items()}
        self.shape = tuple(len(values) for values in self.axes.values())
        self._rows: row_buffer.Pending = {}
        self._large = False
        self._pending, self._early = 0, dict[str, list[int]]()
        self._axes: dict[str, TimeAxis] = {}
        self._arrays: dict[str, TensorStore] = {}
        self._last, self._spent = time.monotonic(), -1.0
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        place = folder / "commit.json"
        self._commit = read_sealed(place) if place.exists() else None
        self._loaded: tuple[int, dict[str, np.ndarray]] | None = None
        self._of_lanes: dict[str, np.ndarray] | None = None
        if self._commit is None:
            if later_commits(folder):
                raise RunError(
                    place,
                    "missing, though checkpoints were committed; restore it, or start a new run in "
                    "another folder",
                )
            # What a crash before the first commit left belongs to nothing.
            shutil.rmtree(folder / "history.zarr", ignore_errors=True)
            zarr_arrays.begin(folder / "history.zarr")
            axis = {
                "step": np.arange(steps) if updates is None else updates,
                "eval_step": np.asarray(eval_steps, np.int64),
            }
            zarr_arrays.coordinates(folder / "history.zarr", {**axis, **self.axes})

    @property
    def complete(self) -> bool:
        """Whether this stage was trained to its end."""
        return bool(self._commit and self._commit.get("complete"))

    def reached(self, lanes: int) -> int:
        """Up to which update the last commit holds all of so many lanes, whether or not another one
        is under way: 0 before the last of the cohorts that are trained one after another."""
        if self._commit is None:
            return 0
        place = self._commit["info"]
        count = -(-lanes // (int(place.get("capacity", 0)) or lanes))
        if int(place["cohort"]) >= count:
            return self.lengths["step"]
        return int(place["step"]) if int(place["cohort"]) + 1 == count else 0

    def saved(self) -> tuple[dict[str, np.ndarray], JsonObject] | None:
        """The arrays and the info of the last commit; None where there is none."""
        if self._commit is None:
            return None
        number = int(self._commit["number"])
        if self._loaded is None or self._loaded[0] != number:
            self._loaded = number, load_checkpoint(self.folder, self._commit)
        return dict(self._loaded[1]), dict(self._commit["info"])

    def metrics(self) -> dict[str, Metric]:
        """What was recorded up to the last commit, by lane: [T, N] or [E, N].

        Rows that were written after it are nan here: they will come again.

        Raises:
            RunError: something of it is damaged or missing.
        """
        saved = self.saved()
        if saved is None or self._commit is None:
            return {}
        store, metrics = self.folder / "history.zarr", {}
        check_files(store, self._commit)
        ends = {"step": np.arange(self.lengths["step"]) + 1,
                "eval_step": zarr_arrays.read(store, "eval_step")}  # fmt: skip
        for name in self._commit["metrics"]:
            values, axis = zarr_arrays.read(store, name), zarr_arrays.time_axis(store, name)
            self._axes[name] = axis
            rows = np.array(values.reshape(len(values), -1)[:, self.cells])
            late = ends[axis][:, None] > saved[0]["steps_trained"][None]
            stale = (late & ~np.isnan(rows)).any(1)
            rows = discard(rows, ends[axis], saved[0]["steps_trained"])
            metrics[name] = Metric(rows, axis)
            if stale.any() and not self.complete:
                # Not every lane will write there again: gone from the store as well.
                first = int(np.argmax(stale))
                zarr_arrays.put(self._array(name, rows), [(first, self.cells, rows[first:])])
        return metrics

    def _array(self, name: str, rows: np.ndarray) -> TensorStore:
        """The metric's array in the store, made where it is not there yet."""
        axis = self._axes[name]
        shape, dims = (self.lengths[axis], *self.shape), [axis, *self.axes]
        return zarr_arrays.create(self.folder / "history.zarr", name, shape, rows.dtype, dims)

    def rows(
        self, name: str, axis: TimeAxis, start: int, lanes: np.ndarray, values: np.ndarray
    ) -> None:
        """Keeps rows in memory until the next commit; see `lrlab.types.Recorder`."""
        self._axes[name] = axis
        row_buffer.add(self._rows, name, start, lanes, values, self.cells)
        self._pending += values.nbytes
        if self._pending > PENDING:
            self.wait()
            rows, self._rows, self._pending = self._rows, {}, 0
            self._thread = threading.Thread(target=self._write_early, args=(rows,), daemon=True)
            self._thread.start()

    def due(self) -> bool:
        """Whether no commit is under way, and the last one is long enough ago."""
        writing = self._thread is not None and self._thread.is_alive()
        # An interval of 0 asks for every segment.
        pause = max(self.interval, min(LONGEST, SHARE * self._spent)) if self.interval else 0.0
        return not writing and time.monotonic() - self._last >= pause

    def commit(self, arrays: Mapping[str, np.ndarray], info: Table) -> None:
        """Writes what was recorded, in a thread of its own; see `lrlab.types.Recorder`.

        The stage before has ended on disk by then: what a crash leaves is always a beginning of the
        run.
        """
        self.wait()
        if self._after is not None:
            self._after.wait()
            self._after = None
        rows, self._rows, self._pending = self._rows, {}, 0
        number = 1 if self._commit is None else int(self._commit["number"]) + 1
        work = (rows, dict(arrays), dict(info), number)
        self._last, self._loaded = time.monotonic(), None
        self._of_lanes = {name: array for name, array in arrays.items() if _per_lane(name)}
        self._large = sum(np.asarray(array).nbytes for array in arrays.values()) > BESIDE
        self._thread = threading.Thread(target=self._write, args=work, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Drops rows that no commit holds: they will come again."""
        self._rows, self._pending = {}, 0

    def wait(self) -> None:
        """Waits for the commit under way.

        Raises:
            RunError: it could not be written; the commit before it still stands.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise Unwritable(
                self.folder,
                f"could not be written ({why(error, self.folder)}); the run can "
                "continue from its last commit once that is fixed",
            ) from error

    def finish(self, beside: bool = False) -> None:
        """Marks the stage as complete, and stores what became of each lane.

        Args:
            beside: what is not large is written beside what comes next, as commits are: `wait`
                waits for it.

        Raises:
            RunError: it could not be written; the commit before it still stands.
        """
        self._thread = threading.Thread(target=self._end, args=(self._thread,), daemon=True)
        self._thread.start()
        if not beside or self._large:
            self.wait()

    def _end(self, writing: threading.Thread | None) -> None:
        """`finish`, after the commit under way."""
        if writing is not None:
            writing.join()
        if self._error is not None:
            return
        try:
            arrays = self._of_lanes
            if arrays is None:  # an earlier process made the commit
                saved = self.saved()
                assert saved is not None
                arrays = saved[0]
            store, lane_dims = self.folder / "history.zarr", list(self.axes)
            fills: JsonObject = {"outcome": 3, "diverged_at": -1, "steps_trained": 0}
            initial = (name for name in arrays if name.startswith("initial_"))
            fills |= dict.fromkeys(("last_loss", *initial), np.nan)
            for name, fill in fills.items():
                self._lane_array(store, name, arrays[name], fill, lane_dims)
            fixed = zarr_arrays.fixed_files(store, ("step", "eval_step", *self.axes))
            assert self._commit is not None
            done = {**self._commit, "complete": True, "lanes": list(fills), "fixed": fixed}
            write_sealed(self.folder / "commit.json", done)
            self._commit = done
            self._forget(int(done["number"]) - 1)
        except BaseException as error:  # handed to the thread that trains, as in `_write`
            self._error = error

    def _lane_array(
        self, store: Path, name: str, values: np.ndarray, fill: float, dims: list[str]
    ) -> None:
        flat = np.full(int(np.prod(self.shape)), fill, np.asarray(values).dtype)
        flat[self.cells] = values
        zarr_arrays.write(store, name, flat.reshape(self.shape), dims)

    def _write(
        self, rows: row_buffer.Pending, arrays: Mapping[str, np.ndarray], info: Table, number: int
    ) -> None:
        began = time.monotonic()
        try:
            store, before = self.folder / "history.zarr", self._commit or {}
            written: dict[str, list[int]] = dict(before.get("rows", {}))
            self._put(rows)
            new = not before or not self._early.keys() <= written.keys()
            for name, (first, end) in self._early.items():
                low, high = written.get(name, (first, end))
                written[name] = [min(low, first), max(high, end)]
            accepted = set(before.get("metrics", [])) | set(self._early)
            axes = ("step", "eval_step", *self.axes)
            commit = {
                "format": 2,
                "number": number,
                "checkpoint": f"checkpoint/{number:06d}",
                "info": info,
                "metrics": sorted(accepted),
                "rows": written,
                "fixed": zarr_arrays.fixed_files(store, axes) if new else before["fixed"],
                "complete": False,
                "dtypes": {name: np.asarray(value).dtype.name for name, value in arrays.items()},
            }
            if not np.array_equal(self.cells, np.arange(int(np.prod(self.shape)))):
                # Who reads a stage that is under way knows no other way which lane is which.
                commit["cells"] = self.cells.tolist()
            commit["checksums"] = save_checkpoint(self.folder, commit["checkpoint"], arrays)
            write_sealed(self.folder / "commit.json", commit)
            self._commit, self._early = commit, {}
            self._forget(number - 2)
            # The first one also loads libraries, so that it tells nothing of those that follow.
            self._spent = 0.0 if self._spent < 0 else time.monotonic() - began
        except BaseException as error:  # handed to the thread that trains, at its next visit
            self._error = error

    def _write_early(self, rows: row_buffer.Pending) -> None:
        try:
            self._put(rows)
        except BaseException as error:  # handed to the thread that trains, as in `_write`
            self._error = error

    def _put(self, rows: row_buffer.Pending) -> None:
        """Writes rows into their arrays, and notes which they are for the next commit."""
        for name, columns in rows.items():
            pieces = row_buffer.pieces(columns)
            if name not in self._arrays:
                self._arrays[name] = self._array(name, pieces[0][2])
            zarr_arrays.put(self._arrays[name], pieces)
            first = min(start for start, _, _ in pieces)
            end = max(start + len(values) for start, _, values in pieces)
            low, high = self._early.get(name, (first, end))
            self._early[name] = [min(low, first), max(high, end)]

    def _forget(self, number: int) -> None:
        for path in (self.folder / "checkpoint").glob("*"):
            if path.is_dir() and path.name.isdigit() and int(path.name) <= number:
                shutil.rmtree(path, ignore_errors=True)


def _per_lane(name: str) -> bool:
    return name in PER_LANE or name.startswith("initial_")


def later_commits(folder: Path) -> bool:
    """Whether checkpoints show that there was a commit: a second one is only begun after it."""
    result = [path.name for path in (folder / "checkpoint").glob("*") if path.is_dir()]
    return any(name.isdigit() and int(name) > 1 for name in result)
