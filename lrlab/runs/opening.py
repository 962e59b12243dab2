"""A run folder opened once: one look at what it holds, one lock where it will be written.

Everything that continues, extends, reads or repeats a run begins with `opened`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

from lrlab.core.paths import resolved
from lrlab.core.text import Table
from lrlab.runs import extend
from lrlab.runs.folder import Run, config_of, done, finished, read_info, refuse_older
from lrlab.runs.lock import Lock


class RunFolder:
    """What a folder held when it was opened; empty (`info` is {}) where there is no run in it yet.

    A class because it holds the lock: until `release`, or until a `Run` takes it over.
    """

    def __init__(self, path: Path, info: Table) -> None:
        self.path, self.info = path, dict(info)
        self.lock: Lock | None = None

    @functools.cached_property
    def config(self) -> str:
        """The text of `config.toml`.

        Raises:
            RunError: missing, or not what the run began with.
        """
        return config_of(self.path, self.info)

    @property
    def is_run(self) -> bool:
        """Whether there is a run in it."""
        return bool(self.info)

    @property
    def finished(self) -> bool:
        """Whether the run in it came to its end."""
        return finished(self.info)

    @property
    def tile_width(self) -> int | None:
        """The tile width that the run's bits depend on; None where it is not recorded."""
        width = (self.info.get("plan") or {}).get("tile_width")
        return width if isinstance(width, int) else None

    @property
    def rewrite(self) -> bool:
        """Whether the run's products are rewritten; not in runs of before that was recorded."""
        return (self.info.get("plan") or {}).get("rewrite") is True

    def writer(self, interval: float | None = None, extended: bool = False) -> Run:
        """The run, to be continued by this process, which holds its lock from here on.

        Args:
            interval: seconds between commits; None for the recorder's own.
            extended: a finished run is to be made longer, and stays finished until it is.

        Raises:
            RunError: finished (and not to be extended), in use, or begun by an older version.
        """
        if self.finished and not extended:
            raise done(self.path)
        refuse_older(self.path, self.info)
        if self.lock is None:
            self.lock = Lock(self.path)
        lock, self.lock = self.lock, None
        run = Run(self.path, self.info, lock, interval)
        if not self.finished:
            try:
                run.update(status="running")
            except BaseException:
                run.close()
                raise
        return run

    def release(self) -> None:
        """Gives the lock back, where no `Run` has taken it."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None


@contextlib.contextmanager
def opened(path: str | Path, *, write: bool = True) -> Iterator[RunFolder]:
    """A run folder as it is now; `write`: it will be continued where it is unfinished, so that its
    lock is taken, and what a crash left half done is completed.

    A finished run is neither locked nor written: its folder may be read-only, and others may read
    it.

    Raises:
        RunError: damaged, of a newer version, or in use by another process.
    """
    place = resolved(path)
    if not (place / "run.json").is_file():
        yield RunFolder(place, {})
        return
    folder = RunFolder(place, read_info(place))
    if write and extend.pending(place):
        # Settled under the lock that is kept: a crash came while the run was made longer.
        folder.lock = Lock(place)
        try:
            folder.info = extend.settle(place, folder.info, folder.lock)
        except BaseException:
            folder.release()
            raise
    if write and folder.lock is None and not folder.finished:
        before = _stamp(place)
        folder.lock = Lock(place)
        if _stamp(place) != before:  # another process wrote between the look and the lock
            folder.info = read_info(place)
    try:
        yield folder
    finally:
        folder.release()


def _stamp(path: Path) -> tuple[int, int]:
    state = (path / "run.json").stat()
    return state.st_ino, state.st_mtime_ns
