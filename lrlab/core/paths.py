"""Paths: where they lead, how they are shown, and where lrlab writes besides run folders."""

from __future__ import annotations

import atexit
import functools
import os
import shlex
import shutil
import tempfile
from pathlib import Path


def resolved(path: str | os.PathLike[str]) -> Path:
    """Where a path leads: absolute, without `~`, `..` or symbolic links, so that another working
    folder later changes nothing.

    Raises:
        ValueError: empty, or with a character that no path has.
        TypeError: no path at all.

    >>> resolved("/tmp/../tmp/run/").name, resolved("~").is_absolute()
    ('run', True)
    """
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is no path")
    return Path(os.path.realpath(os.path.expanduser(text)))


def shown(path: str | os.PathLike[str]) -> str:
    """A path as it may be typed in a shell here: the shorter of absolute and relative, quoted where
    it has to be (on Windows with double quotes, where it has spaces).

    >>> shown("/some/where/my run"), shown(Path.cwd() / "runs" / "a")
    ("'/some/where/my run'", 'runs/a')
    """
    text = short(path)
    if os.name == "nt":  # where no path has double quotes, and a backslash needs none
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)


def short(path: str | os.PathLike[str]) -> str:
    """`shown` without a shell's quotes."""
    text = os.fspath(path)
    if not os.path.isabs(text):
        return text
    try:
        relative = os.path.relpath(text)
    except (OSError, ValueError):  # the working folder is gone
        return text
    return min(relative, text, key=len)


def cache_folder() -> Path:
    """`$LRLAB_CACHE`, else `lrlab` in `$XDG_CACHE_HOME` or `~/.cache`; for a user without a home, a
    folder of this process alone."""
    chosen = os.environ.get("LRLAB_CACHE")
    if chosen:
        return Path(chosen)
    if above := os.environ.get("XDG_CACHE_HOME"):
        return Path(above) / "lrlab"
    try:
        return Path.home() / ".cache" / "lrlab"
    except RuntimeError:
        return _of_this_process()


@functools.cache
def _of_this_process() -> Path:
    """A new folder, removed at the end. Compiled programs are read from a cache, so that no name
    will do that somebody else could have made before."""
    path = Path(tempfile.mkdtemp(prefix="lrlab-cache-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
