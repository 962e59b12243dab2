"""The lock of a run folder: held by the operating system, so that a crash gives it back."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from lrlab.runs.seals import RunError, Unwritable


class Lock:
    """A folder's lock, held until `release`.

    Args:
        path: the folder.
        owner: leave this process's number in the file, for others to read.

    Raises:
        RunError: another process holds it; Unwritable: it cannot be locked here.
    """

    def __init__(self, path: Path, owner: bool = True) -> None:
        try:
            handle = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Unwritable(path, f"cannot be locked ({error.strerror})") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = b""
            with contextlib.suppress(OSError):
                holder = os.pread(handle, 100, 0)
            os.close(handle)
            who = holder.decode(errors="replace").strip() or "another process"
            raise RunError(path, f"in use by {who}; wait for it, or stop it") from None
        if owner:
            with contextlib.suppress(OSError):  # a full disk: the lock holds without a name on it
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"process {os.getpid()} on {os.uname().nodename}\n".encode(), 0)
        self._handle: int | None = handle

    def release(self) -> None:
        """Gives the lock back; a second time does nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def refuse_in_use(path: Path) -> None:
    """Looks whether another process writes a run folder, without taking it.

    Raises:
        RunError: it does.
    """
    if (path / "lock").is_file():
        Lock(path, owner=False).release()
