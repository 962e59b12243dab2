"""Removing run folders: only what is one, that nobody writes, and through no symbolic link."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lrlab.core.errors import RunError, Unwritable
from lrlab.core.files import read_json
from lrlab.core.paths import shown
from lrlab.runs.checkpoint import HALF_WRITTEN
from lrlab.runs.folder import FORMAT
from lrlab.runs.lock import Lock, refuse_in_use

LEFT_BY_LRLAB = (
    "run.json", "config.toml", "summary.json", "checksums.json", "commit.json", "clock.json",
    "history.zarr", "checkpoint", "stages", "groups", "lock", "lock.holder", "report.html",
    "figures", "curves.csv", "longer.json", "frozen", "frozen.json", "log", "decisions.json",
    "worker_error.txt", "export.csv", "export.parquet", "export.npz", "export.nc", "export.json",
)  # fmt: skip
"""What lrlab itself leaves at the top of a run folder. A test compares it with the names that the
modules write."""

LEFT_BY_ORBAX = re.compile(rf"(checkpoint|frozen){re.escape(HALF_WRITTEN)}.*")
"""What a kill leaves of a checkpoint that orbax was writing."""

LEFT_BY_SYSTEMS = (".DS_Store", "Thumbs.db", "desktop.ini")
"""What a system's file manager leaves in every folder that it showed."""

FIGURES = (".png", ".svg", ".pdf", ".eps", ".webp", ".jpg")
"""How the files in `figures/`, and in the folders there of several runs, end that lrlab writes. A
test compares them with the report's formats."""

_HALF_WRITTEN = re.compile(r"\.(.+)\.\d+")
"""What a crash in the middle of `files.write_text` leaves beside a file."""


class Removable(NamedTuple):
    """A run folder that may be removed: where it is, its bytes and files, and files and folders at
    its top that lrlab did not write."""

    path: Path
    size: int
    files: int
    others: tuple[str, ...]


def removable(path: str | Path) -> Removable:
    """What would go with a run folder.

    Args:
        path: the folder as it is named; not resolved, so that links can be seen.

    Raises:
        RunError: no run folder, reached through a symbolic link, part of a comparison or a study,
            or in use.
    """
    place = Path(os.path.abspath(os.path.expanduser(path)))
    real = Path(os.path.realpath(place))
    if real != place:
        raise RunError(
            path, f"leads through a symbolic link to {shown(real)}, and no link is followed here; "
            "name that place itself"
        )  # fmt: skip
    _check_run(place)
    for above in (place.parent, place.parent.parent):
        if (above / "run.json").is_file():
            raise RunError(place, f"is a part of {shown(above)}, which needs it; remove that whole")
    for run in _runs_in(place):
        refuse_in_use(run)
    size = files = 0
    for folder, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(folder, name)).st_size
                files += 1
    others = [one for run in _runs_in(place) for one in _others(place, run)]
    return Removable(place, size, files, tuple(sorted(others)))


def remove(path: str | Path) -> Removable:
    """Removes a run folder, looked at once more. Its name goes first, in one step, so that what a
    crash leaves is a hidden folder and never half a run.

    Raises:
        RunError: as `removable`; or it holds files that lrlab did not write.
        Unwritable: not permitted.
    """
    found = removable(path)
    if found.others:
        raise RunError(
            found.path,
            f"holds what lrlab did not write ({', '.join(found.others[:5])}); move that away first",
        )
    place = found.path
    aside = place.with_name(f".{place.name}.{os.getpid()}.removed")
    try:
        with contextlib.ExitStack() as stack:
            for run in _runs_in(place):
                stack.callback(Lock(run).release)
            if os.name != "nt":  # Windows renames no folder with an open file
                os.rename(place, aside)
        if os.name == "nt":
            os.rename(place, aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise Unwritable(place, f"cannot be removed ({error.strerror})") from error
    return found


def _check_run(place: Path) -> None:
    """Raises RunError unless the folder is a run's."""
    if not place.is_dir():
        raise RunError(place, "is no folder")
    if not (place / "run.json").is_file():
        raise RunError(place, "not a run folder (no run.json in it); nothing is removed")
    try:
        info = read_json(place / "run.json")
    except RunError as error:
        raise RunError(place, f"{error.text}: remove it by hand, if it is a run") from None
    version = info.get("format")
    known = isinstance(version, int) and 1 <= version <= FORMAT
    if not known or not isinstance(info.get("command"), str):
        raise RunError(place, "its run.json is not one of this lrlab; nothing is removed")


def _runs_in(place: Path) -> Iterator[Path]:
    """The run, and those inside it (a comparison's, a study's)."""
    yield place
    for pattern in ("*/run.json", "groups/*/run.json", "groups/*/*/run.json"):
        for inner in sorted(place.glob(pattern)):
            if not inner.parent.is_symlink():
                yield inner.parent


def _others(place: Path, run: Path) -> Iterator[str]:
    """What lrlab did not write into a run: at its top, among its figures and among its groups; as
    paths below `place`."""
    for one in run.iterdir():
        if not _is_ours(one.name) and not (one / "run.json").is_file():
            yield one.relative_to(place).as_posix()
    for one in (run / "figures").rglob("*"):
        folder = one.is_dir() and not one.is_symlink()
        if not folder and one.suffix not in FIGURES and not _is_ours(one.name):
            yield one.relative_to(place).as_posix()
    groups = run / "groups"
    for one in groups.iterdir() if groups.is_dir() else ():
        if not (one / "run.json").is_file() and one.name not in LEFT_BY_SYSTEMS:
            yield one.relative_to(place).as_posix()


def _is_ours(name: str) -> bool:
    half = _HALF_WRITTEN.fullmatch(name)
    name = half[1] if half else name
    known = name in LEFT_BY_LRLAB or name in LEFT_BY_SYSTEMS
    return known or LEFT_BY_ORBAX.fullmatch(name) is not None
