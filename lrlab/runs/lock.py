"""The lock of a run folder: one process writes. The operating system holds it, so that the end of a
process, a kill too, frees it."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from lrlab.core.errors import RunError, Unwritable

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = "lock"
"""The file that is locked. Its content has no meaning."""

HOLDER = "lock.holder"
"""Beside it, while it is held: the process that holds it, in words."""


def hold(folder: Path) -> BaseFileLock:
    """Takes the lock of a run folder, without waiting; `release` gives it back.

    Raises:
        RunError: another process (or another part of this one) holds it; names the process.
        Unwritable: the folder permits no lock.
    """
    lock = _taken(folder)
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name on it
        name = f"process {os.getpid()} on {platform.node()}\n"
        (folder / HOLDER).write_text(name, encoding="utf-8")
    return lock


def release(lock: BaseFileLock) -> None:
    """Gives a lock back."""
    with contextlib.suppress(OSError):  # first, because afterwards it may be another's
        Path(lock.lock_file).with_name(HOLDER).unlink(missing_ok=True)
    lock.release()


def available(folder: Path) -> None:
    """Checks that no process writes a run folder, without taking its lock.

    Raises:
        RunError: one does; names it.
        Unwritable: the folder permits no lock.
    """
    if (folder / LOCK).is_file():
        _taken(folder).release()


def _taken(folder: Path) -> BaseFileLock:
    import filelock

    lock = filelock.FileLock(folder / LOCK, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        holder = ""
        with contextlib.suppress(OSError):
            holder = (folder / HOLDER).read_text(encoding="utf-8", errors="replace")[:100].strip()
        what = f"in use by {holder or 'another process'}; wait for it, or stop it"
        raise RunError(folder, what) from None
    except OSError as error:
        raise Unwritable(folder, f"cannot be locked ({error.strerror})") from error
    return lock
