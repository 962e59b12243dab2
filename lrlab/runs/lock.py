"""The lock of a run folder: one process writes. The operating system holds it, so that the end of a
process, a kill too, frees it."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

from lrlab.core.errors import RunError, Unwritable

LOCK = "lock"
"""The file that is locked. Its content has no meaning."""

HOLDER = "lock.holder"
"""Beside it, while it is held: the process that holds it, in words."""


class Lock:
    """A folder's lock, held until `release`.

    Args:
        path: the folder.
        owner: leave this process's number beside the lock, for others to read.

    Raises:
        RunError: another process (or another part of this one) holds it; names the process.
        Unwritable: it cannot be locked here.
    """

    def __init__(self, path: Path, owner: bool = True) -> None:
        import filelock

        self._lock = filelock.FileLock(path / LOCK, thread_local=False)
        self._holder = path / HOLDER if owner else None
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            holder = ""
            with contextlib.suppress(OSError):
                holder = (path / HOLDER).read_text(encoding="utf-8", errors="replace").strip()
            what = f"in use by {holder or 'another process'}; wait for it, or stop it"
            raise RunError(path, what) from None
        except OSError as error:
            raise Unwritable(path, f"cannot be locked ({error.strerror})") from error
        if self._holder is not None:
            with contextlib.suppress(OSError):  # a full disk: the lock holds without a name on it
                name = f"process {os.getpid()} on {platform.node()}\n"
                self._holder.write_text(name, encoding="utf-8")

    def release(self) -> None:
        """Gives the lock back; a second time does nothing."""
        if self._holder is not None and self._lock.is_locked:
            with contextlib.suppress(OSError):  # first, because afterwards it may be another's
                self._holder.unlink(missing_ok=True)
        self._lock.release()


def refuse_in_use(path: Path) -> None:
    """Checks that no process writes a run folder, without keeping its lock.

    Raises:
        RunError: one does; names it.
        Unwritable: it cannot be locked here.
    """
    if (path / LOCK).is_file():
        Lock(path, owner=False).release()


def holder_lives(path: Path) -> bool | None:
    """Whether the process that is named beside a folder's lock lives; None where that cannot be
    told: another machine's, no name, or a system that cannot ask. Does not touch the lock, which a
    process may be about to take.

    >>> holder_lives(Path("/nowhere/run")) is None
    True
    """
    try:
        words = (path / HOLDER).read_text(encoding="utf-8", errors="replace").split()
    except FileNotFoundError:
        # A writer names itself right after it has the lock; who is gone in order takes it back.
        return False if (path / LOCK).is_file() else None
    except OSError:
        return None
    if len(words) < 4 or not words[1].isdigit() or " ".join(words[3:]) != platform.node():
        return None
    if os.name != "posix":  # elsewhere the same call would end the process
        return None
    try:
        os.kill(int(words[1]), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # there, but another user's
        return True
    return True
