"""Run folders as a whole: made by one rename, locked while written, finished with checksums."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.runs.files import RunError, checksums, read_json, sync_folder, write_json, write_text
from lrlab.runs.stage import INTERVAL, Stage

FORMAT = 1
"""The version of the folder's layout, in `run.json`."""

_UNCHECKED = ("checksums.json", "lock", "report.html", "figures/", "export", "curves.csv", ".",
              "groups/")  # fmt: skip
"""What may change after a run is done; a study's groups are runs with checksums of their own."""


class Run:
    """A run folder that this process writes; holds its lock until `close`."""

    def __init__(self, path: Path, interval: float = INTERVAL) -> None:
        self.path, self.interval = path, interval
        self.lock = _locked(path)
        self.info = read_json(path / "run.json")
        self._stages: list[Stage] = []

    def stage(
        self,
        name: str,
        steps: int,
        eval_steps: Sequence[int],
        axes: Mapping[str, np.ndarray],
        cells: np.ndarray,
    ) -> Stage:
        """A recorder for one call of the engine; "" is the first stage, at the top of the folder.

        `axes`: axis name -> values, seed last; `cells` int[N]: the flat C-order cell of each lane.
        """
        folder = self.path if not name else self.path / "stages" / name
        made = Stage(folder, steps, eval_steps, axes, cells, self.interval)
        self._stages.append(made)
        return made

    def update(self, **fields: Any) -> None:
        """Changes fields of `run.json`."""
        self.info = {**self.info, **fields}
        write_json(self.path / "run.json", self.info)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Writes the answer and marks the run as finished."""
        write_json(self.path / "summary.json", summary)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.update(status="finished", finished=now)
        files = checksums(self.path, _UNCHECKED)
        write_json(self.path / "checksums.json", {"sha256": files})

    def close(self, status: str | None = None) -> None:
        """Waits for what is being written, gives the lock back; `status` where it ended early."""
        try:
            for stage in self._stages:
                stage.wait()
            if status is not None and self.info.get("status") != "finished":
                self.update(status=status)
        finally:
            os.close(self.lock)


def create(
    out: str | Path | None,
    name: str,
    command: str,
    config_text: str,
    manifest: Mapping[str, Any],
    interval: float = INTERVAL,
) -> Run:
    """A new run folder, complete and resumable from the instant it appears.

    Args:
        out: the folder; None for a new one under `runs/`.
        name: a short name for people.
        command: "sweep", "find", ...
        config_text: the resolved configuration, TOML.
        manifest: further fields of `run.json`; `fingerprint` decides who may go on with the run.

    Raises:
        RunError: `out` holds something already, or cannot be written.
    """
    path = fresh_path(name) if out is None else Path(out)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(f"{path}: exists already and is no run folder; choose another place")
    part = path.parent / f".{path.name}.{os.getpid()}"
    info = {
        "format": FORMAT,
        "name": name,
        "command": command,
        "status": "running",
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **manifest,
    }
    try:
        part.mkdir(parents=True)
        write_json(part / "run.json", info)
        write_text(part / "config.toml", config_text)
        (part / "lock").touch()
        os.rename(part, path)
        sync_folder(path.parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise RunError(f"{path}: cannot be made ({error.strerror or error})") from error
    except RunError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Run(path, interval)


def resume(path: str | Path, fingerprint: str | None = None, interval: float = INTERVAL) -> Run:
    """An unfinished run, to go on with.

    Raises:
        RunError: no run folder, finished, in use, of a newer lrlab, or of another experiment
            (`fingerprint` differs).
    """
    path = Path(path)
    info = read_info(path)
    if info.get("status") == "finished":
        raise RunError(f"{path}: this run is done; `lrlab show {path}` shows its answer")
    if fingerprint is not None and info.get("fingerprint") != fingerprint:
        raise RunError(
            f"{path}: holds a run of another experiment (its config, data or plan differ); "
            "choose another folder, or restore what was changed"
        )
    run = Run(path, interval)
    run.update(status="running")
    return run


def read_info(path: Path) -> dict[str, Any]:
    """`run.json`.

    Raises:
        RunError: no run folder, or of a newer version.
    """
    if not (path / "run.json").is_file():
        raise RunError(f"{path}: not a run folder (no run.json in it)")
    info = read_json(path / "run.json")
    version = info.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise RunError(f"{path}: written by a newer lrlab (format {version}); update lrlab")
    return info


def is_study(path: Path) -> bool:
    """Whether a folder holds a study: groups that are run folders, no lanes of its own."""
    return (path / "run.json").is_file() and read_json(path / "run.json").get("command") == "study"


def experiment_of(path: Path) -> tuple[str, Any]:
    """The command and the `Experiment` of a run folder.

    Raises:
        RunError: no run folder, or done already.
        ConfigError: its config cannot be read.
    """
    from lrlab import config

    info = read_info(path)
    if info.get("status") == "finished":
        raise RunError(f"{path}: this run is done; `lrlab show {path}` shows its answer")
    command = str(info.get("command"))
    return command, config.load(str(path / "config.toml"), command=command)


def _locked(path: Path) -> int:
    """The lock of a folder: held by the operating system, so that a crash gives it back."""
    try:
        handle = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunError(f"{path}: cannot be locked ({error.strerror})") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = b""
        with contextlib.suppress(OSError):
            owner = os.pread(handle, 100, 0)
        os.close(handle)
        who = owner.decode(errors="replace").strip() or "another process"
        raise RunError(f"{path}: in use by {who}; wait for it, or stop it") from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"process {os.getpid()} on {os.uname().nodename}\n".encode(), 0)
    return handle


def fresh_path(name: str) -> Path:
    """A new place under `runs/`, named after the run and the time."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:60] or "run"
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{safe}-{now}-{secrets.token_hex(2)}"
