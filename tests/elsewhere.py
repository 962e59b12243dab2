"""Runs lrlab in a process that has nothing of POSIX: `python elsewhere.py ARGUMENTS`.

What Windows lacks is taken away before lrlab is imported: modules, functions of `os`, signals,
`/proc`. What cannot be imitated here is the file system, and the libraries' own code for Windows.
"""

from __future__ import annotations

import builtins
import importlib
import io
import os
import signal
import sys
import types
from collections.abc import Sequence

import pytest

MODULES = (
    "fcntl",
    "resource",
    "termios",
    "pwd",
    "grp",
    "tty",
    "pty",
    "crypt",
    "syslog",
    "readline",
)
"""Modules that Windows does not have."""

FUNCTIONS = (
    "fork", "getuid", "geteuid", "getpgid", "killpg", "setsid", "sysconf", "sched_getaffinity",
    "sched_setaffinity", "mkfifo", "posix_fadvise", "getloadavg", "nice", "chown", "sync", "pread",
)  # fmt: skip
"""Functions of `os` that Windows does not have and that lrlab might call."""

LIBRARIES = (
    "numpy", "scipy", "jax", "flax", "optax", "chex", "orbax.checkpoint", "tensorstore", "zarr",
    "matplotlib.pyplot", "rich.console", "filelock", "sklearn.datasets", "pydantic", "typer",
)  # fmt: skip
"""They ask which system they are on, and get a true answer."""

THROUGH = ("importlib", "pathlib", "io", "_frozen_importlib", "_frozen_importlib_external")

SIGNALS = ("SIGHUP", "SIGKILL", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE", "SIGQUIT")


def of_lrlab() -> bool:
    """Whether lrlab asked, directly or through the standard library's imports and paths."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] in THROUGH:
        frame = frame.f_back
    return frame.f_globals["__name__"].startswith("lrlab")


def absent(name: str, path: object = None, target: object = None) -> None:
    """Raises ModuleNotFoundError where lrlab imports one of `MODULES`; libraries may."""
    if name.partition(".")[0] in MODULES and of_lrlab():
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def without_posix() -> None:
    """Takes away what Windows lacks, in this process, for good."""
    for name in LIBRARIES:
        importlib.import_module(name)
    sys.meta_path.insert(0, types.SimpleNamespace(find_spec=absent))  # type: ignore[arg-type]
    patch = pytest.MonkeyPatch()  # never undone: the process is for this
    for name in MODULES:
        patch.delitem(sys.modules, name, raising=False)
    for name in FUNCTIONS:
        patch.delattr(os, name, raising=False)
    for name in SIGNALS:
        patch.delattr(signal, name, raising=False)
    usual, fsync, rename, by_number = builtins.open, os.fsync, os.rename, os.open

    def opened(file: object, *given: object, **named: object) -> object:
        if str(file).startswith("/proc") and of_lrlab():
            raise FileNotFoundError(2, "No such file or directory", str(file))
        return usual(file, *given, **named)  # type: ignore[call-overload]

    def synced(handle: int) -> None:  # Windows syncs what is open for writing
        try:
            os.write(handle, b"")
        except OSError:
            raise OSError(9, "Bad file descriptor") from None
        fsync(handle)

    def renamed(source: str, target: str) -> None:  # Windows renames onto nothing that is there
        if os.path.lexists(target):
            raise FileExistsError(17, "File exists", str(target))
        rename(source, target)

    def opened_by_number(path: str, flags: int, *given: object, **named: object) -> int:
        if os.path.isdir(path):  # Windows opens no folder
            raise PermissionError(13, "Permission denied", str(path))
        return by_number(path, flags, *given, **named)  # type: ignore[arg-type]

    patch.setattr(builtins, "open", opened)
    patch.setattr(io, "open", opened)
    patch.setattr(os, "fsync", synced)
    patch.setattr(os, "rename", renamed)
    patch.setattr(os, "open", opened_by_number)


def main(arguments: Sequence[str]) -> None:
    """The command line of lrlab, there."""
    without_posix()
    from lrlab.cli import main as command

    command(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
