"""Which folders the page may show: run folders below its root, none through a symbolic link."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lrlab.core.errors import RunError
from lrlab.core.files import read_json

DEPTH = 4
"""Folders below the root in which runs are looked for: projects inside projects, and no whole
disk."""

PARTS = {"compare": ".", "study": "groups"}
"""Command -> where, inside its folder, the runs lie that it is made of."""


class Place(NamedTuple):
    """A run folder: its name below the root, with slashes; the folder; the name of the comparison
    or study that it is a part of."""

    name: str
    folder: Path
    parent: str = ""


def places(root: Path) -> Iterator[Place]:
    """Every run folder below `root`, those of comparisons and studies too. What cannot be read, or
    is a link, is passed over.

    >>> list(places(Path("/nowhere")))
    []
    """
    yield from _below(root, root, DEPTH)


def _below(root: Path, folder: Path, depth: int) -> Iterator[Place]:
    for inner in _folders(folder):
        if holds_run(inner):
            name = inner.relative_to(root).as_posix()
            yield Place(name, inner)
            yield from _parts(root, inner, name)
        elif depth > 1:
            yield from _below(root, inner, depth - 1)


def _parts(root: Path, folder: Path, name: str) -> Iterator[Place]:
    """The runs of a comparison or a study. Other runs have folders of arrays alone, many and deep:
    nothing is looked for there."""
    for inside in sorted(set(PARTS.values())):
        for inner in _folders(folder / inside):
            if holds_run(inner):
                yield Place(inner.relative_to(root).as_posix(), inner, name)


def holds_run(folder: Path) -> bool:
    """Whether a folder is a run's: `run.json` lies in it."""
    return os.path.isfile(f"{folder}/run.json")


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            found = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
    return [folder / name for name in sorted(found)]


def run_folder(root: Path, name: str) -> Path:
    """The run folder that a request names.

    Args:
        root: absolute, without symbolic links.

    Raises:
        RunError: the name leads out of the root, or to no run folder, or through a link; or the run
            has a link inside.
    """
    parts = name.split("/")
    # A part with a backslash or a colon would lead elsewhere on Windows.
    bad = any(part.startswith(".") or set(part) & set("\\:\0") for part in parts)
    if not name or "" in parts or bad:
        raise RunError(f"{name!r} is no run here")
    folder = root.joinpath(*parts)
    try:
        whole = Path(os.path.realpath(folder)) == folder and holds_run(folder)
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise RunError(f"{name!r} is no run here")
    for place in (folder, *folder.glob("stages/*")):
        if link := _link_in(place):
            raise RunError(f"{name!r} holds a symbolic link ({link}), which is not followed")
    return folder


def _link_in(folder: Path) -> str:
    with os.scandir(folder) as entries:
        return next((entry.name for entry in entries if entry.is_symlink()), "")


def parts_of(root: Path, folder: Path) -> list[str]:
    """The names of the runs that a comparison or a study is made of; none of another run."""
    command = str(read_json(folder / "run.json").get("command"))
    if command not in PARTS:
        return []
    inside = folder / PARTS[command]
    return [inner.relative_to(root).as_posix() for inner in _folders(inside) if holds_run(inner)]
