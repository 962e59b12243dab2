"""Run folders as a whole: made by one rename, locked while written, finished with checksums."""

from __future__ import annotations

import datetime
import os
import re
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.core.errors import RunError, Unwritable
from lrlab.core.files import read_json, rename_folder, sha256, sync_folder, write_text
from lrlab.core.paths import resolved, shown
from lrlab.core.records import LaneRecord
from lrlab.core.text import JsonObject, Table
from lrlab.runs.lock import Lock, refuse_in_use
from lrlab.runs.recorder import Stage
from lrlab.runs.seals import check_seal, checksums, write_sealed
from lrlab.runs.summary import write_summary

FORMAT = 2
"""The version of the folder's layout, in `run.json`. Format 1 had no seals (see
`files.check_seal`), and its commits did not say which rows and chunks there are."""

ENDS = ("finished", "stopped")
"""What `status` in `run.json` is of a run that came to its end, or that a callback ended."""

UNSEALED = ("status", "finished")
"""Fields of `run.json` that its seal leaves out: no number follows from them."""

_UNCHECKED = (
    "run.json", "checksums.json", "lock", "report.html", "figures/", "export", "curves.csv", ".",
    "groups/", "log/",
)  # fmt: skip
"""What may change after a run is done; a study's groups are runs with checksums of their own."""


class Run:
    """A run folder that this process writes; holds its lock until `close`."""

    def __init__(self, path: Path, info: Table, lock: Lock, interval: float | None = None) -> None:
        self.path, self.info, self.lock, self.interval = path, dict(info), lock, interval
        self._stages: list[Stage] = []

    def stage(
        self,
        name: str,
        steps: int,
        eval_steps: Sequence[int],
        axes: Mapping[str, np.ndarray],
        cells: np.ndarray,
        updates: np.ndarray | None = None,
    ) -> Stage:
        """A recorder for one call of the engine; "" is the first stage, at the top of the folder.

        `axes`: axis name -> values, seed last; `cells` int[N]: the flat C-order cell of each lane.
        `updates` int[steps]: which updates are recorded, where it is not every one.
        """
        folder = self.path if not name else self.path / "stages" / name
        last = self._stages[-1] if self._stages else None
        built = Stage(folder, steps, eval_steps, axes, cells, self.interval, updates, last)
        self._stages.append(built)
        return built

    def update(self, **fields: Any) -> None:
        """Changes fields of `run.json`."""
        self.info = {**self.info, **fields}
        write_sealed(self.path / "run.json", self.info, UNSEALED)

    def keep_text(self, name: str, text: str) -> Path:
        """Writes a file of text beside `run.json`; gives its path."""
        write_text(self.path / name, text)
        return self.path / name

    def finish(
        self,
        summary: Table,
        before: Callable[[Table], None] | None = None,
        stopped: bool = False,
    ) -> None:
        """Writes the answer and the checksums, and marks the run as finished: that is the last.

        A run that was finished when it was opened stays as it is.

        Args:
            before: called with the summary once that is written: what has to be done for a run to
                be finished, and is done again where a crash comes in between.
            stopped: a callback ended it; it is finished all the same.
        """
        if finished(self.info):
            return
        for stage in self._stages:
            stage.wait()
        write_summary(self.path, summary)
        if before is not None:
            before(summary)
        files = checksums(self.path, _UNCHECKED)
        write_sealed(self.path / "checksums.json", {"format": FORMAT, "sha256": files})
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.update(status=ENDS[stopped], finished=now)

    def close(self, status: str | None = None) -> None:
        """Waits for what is being written, gives the lock back; `status` where it ended early."""
        try:
            for stage in self._stages:
                stage.wait()
            if status is not None and not finished(self.info):
                # So that the loss of the only commit is not taken for an end before the first.
                begun = any((place / "commit.json").exists() for place in stage_folders(self.path))
                self.update(status=status, **({"committed": True} if begun else {}))
        finally:
            self.lock.release()


def create(
    out: str | Path | None,
    name: str,
    command: str,
    config_text: str,
    manifest: Table,
    interval: float | None = None,
) -> Run:
    """A new run folder, complete and resumable from the instant it appears.

    Args:
        out: the folder; None for a new one under `runs/`.
        name: a short name for people.
        command: "sweep", "find", ...
        config_text: the resolved configuration, TOML.
        manifest: further fields of `run.json`; `fingerprint` decides who may continue the run.

    Raises:
        RunError: `out` holds something already, or cannot be written.
    """
    path = resolved(fresh_path(f"{name}-{command}") if out is None else out)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        held = (path / "run.json").is_file()
        what = "holds a run already" if held else "exists already and is no run folder"
        raise RunError(path, f"{what}; choose another place")
    part = path.parent / f".{path.name}.{os.getpid()}"
    info: JsonObject = {
        "format": FORMAT,
        "name": name,
        "command": command,
        "status": "running",
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **manifest,
    }
    try:
        shutil.rmtree(part, ignore_errors=True)  # of a crashed process that had this number
        part.mkdir(parents=True)
        write_text(part / "config.toml", config_text)
        info["config_sha256"] = sha256(part / "config.toml")
        write_sealed(part / "run.json", info, UNSEALED)
        (part / "lock").touch()
        rename_folder(part, path)
        sync_folder(path.parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if (path / "run.json").is_file():
            refuse_in_use(path)
            raise RunError(path, "another process has just made a run here") from error
        if isinstance(error, (NotADirectoryError, FileExistsError)):
            raise RunError(path, "cannot be made: a part of the path is a file") from error
        raise Unwritable(path, f"cannot be made ({error.strerror or error})") from error
    except RunError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Run(path, info, Lock(path), interval)


def write_record(run: Run, record: LaneRecord) -> None:
    """Records a grid of finished lanes as the only stage of a run."""
    stage = run.stage("", len(record.steps), record.eval_steps.tolist(), record.axes,
                      np.arange(record.outcome.size), record.steps)  # fmt: skip
    flat = record.flat()
    lanes = np.arange(flat.outcome.size)
    for name, metric in flat.metrics.items():
        stage.rows(name, metric.axis, 0, lanes, metric.values)
    arrays = {
        "outcome": flat.outcome,
        "diverged_at": flat.diverged_at,
        "last_loss": flat.last_loss,
        "steps_trained": flat.steps_trained,
        **{f"initial_{name}": values for name, values in flat.initial.items()},
        "lanes": np.empty(0, np.int64),
    }
    stage.commit(arrays, {"cohort": 1, "step": 0, "seconds": record.seconds})
    stage.finish()


def refuse_older(path: Path, info: Table) -> None:
    """Raises RunError for an unfinished run of a format that this version cannot write."""
    if int(info["format"]) < FORMAT and not finished(info):
        raise RunError(
            path,
            f"begun by an older lrlab (format {info['format']}); it can be shown and reported, but "
            "only that version can continue it",
        )


def stage_folders(path: Path) -> list[Path]:
    """Where the stages of a run lie: the folder itself, and those of a search."""
    return [path, *sorted(path.glob("stages/*"))]


def finished(info: Table) -> bool:
    """Whether a record is that of a run that came to its end."""
    return info.get("status") in ENDS


def done(path: Path) -> RunError:
    """What is said of a finished run that is to be continued."""
    return RunError(path, f"this run is done; `lrlab show {shown(path)}` shows its answer")


def read_info(path: Path) -> JsonObject:
    """`run.json`.

    Raises:
        RunError: no run folder, damaged, or of a newer version.
    """
    if not (path / "run.json").is_file():
        raise RunError(path, "not a run folder (no run.json in it)")
    info = read_json(path / "run.json")
    version = info.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RunError(path / "run.json", f"damaged (format {version!r})")
    if version > FORMAT:
        raise RunError(path, f"written by a newer lrlab (format {version}); update lrlab")
    check_seal(path / "run.json", info, UNSEALED)
    return info


def is_study(path: Path) -> bool:
    """Whether a folder holds a study: groups that are run folders, no lanes of its own."""
    return (path / "run.json").is_file() and read_json(path / "run.json").get("command") == "study"


def config_of(path: Path, info: Table) -> str:
    """The text of `config.toml`.

    Raises:
        RunError: missing, or not what the run began with.
    """
    place = path / "config.toml"
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(place, f"missing or unreadable ({error})") from None
    if info.get("config_sha256") not in (None, sha256(place)):
        raise RunError(place, "damaged or changed since the run began; restore it")
    return text


def fresh_path(name: str) -> Path:
    """A new place under `runs/`, named after the run and the time."""
    safe = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:60] or "run"
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{safe}-{now}-{secrets.token_hex(2)}"
