"""The figure files of a run folder: drawn at once, or by a process of its own while the prompt is
back. `python -m lrlab.report.drawing RUN` is that process.

To load matplotlib and draw takes longer than a small search, and nobody waits for files: so the
command line ends with the answer and the page. It does wait where the configuration names formats,
and where a process would not outlive it. Whatever ends such a process, `lrlab report RUN` draws.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tomllib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from lrlab import runs
from lrlab.core.figures import FAILED
from lrlab.core.files import write_text
from lrlab.core.paths import cache_folder, shown
from lrlab.report.content.reading import Folders, read_all, read_study
from lrlab.report.figures import study, write_comparison, write_figures

When = Literal["later", "now", "none"]

VARIABLE = "LRLAB_FIGURES"
"""The environment variable that says what becomes of figures for which a configuration names no
formats: "later" (the default), "now", or "none"."""

USUAL = ("png", "svg")
"""Their formats."""

NICENESS = 10
"""How much the process gives way to others: what the user does next comes first."""

TURN_SECONDS = 600.0
"""How long a process waits at most for those that draw other runs: they draw one after another, so
that a script of many short runs does not fill the memory. A run takes seconds."""

DELAY = 0.5
"""Seconds until it begins: what it imports takes a core, which the command has while it ends."""

PROGRAM = f"""
import os, runpy, time
getattr(os, "nice", lambda by: None)({NICENESS})
time.sleep({DELAY})
runpy.run_module("lrlab.report.drawing", run_name="__main__")
"""
"""What the process runs, with the run's folder as its argument."""


def when() -> When:
    """What `LRLAB_FIGURES` says.

    Raises:
        ValueError: it has another value.
    """
    value = os.environ.get(VARIABLE) or "later"
    for known in get_args(When):
        if value == known:
            return known
    message = f'{VARIABLE} in the environment must be "later", "now" or "none", got {value!r}'
    raise ValueError(message)


def formats_of(folder: Path) -> tuple[str, ...] | None:
    """The formats that a run's configuration names (`figures`); None where it names none, or cannot
    be read."""
    try:
        table = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    named = table.get("figures")
    return None if named is None else tuple(map(str, named))


def draw(folder: Path, content: Folders | None = None) -> list[Path]:
    """Draws the figures of a run, of a comparison and its runs, or of a study; the paths written.

    Args:
        content: what the folder holds, where it was read already.
    """
    usual = () if when() == "none" else USUAL
    own = formats_of(folder)
    formats = usual if own is None else own
    if runs.is_study(folder):
        return study.write_figures(read_study(folder), folder / "figures", formats)
    places = [folder, *(place.parent for place in runs.inner_runs(folder))]
    if not any(usual if (named := formats_of(place)) is None else named for place in places):
        return []  # to read a run and to build its figures takes longer than many a run
    content = content or read_all([folder])
    written = []
    if len(content.runs) > 1:
        written += write_comparison(content.runs, folder / "figures", formats)
    for data, place in zip(content.runs, content.places, strict=True):
        own = formats_of(place)
        written += write_figures(data, place / "figures", usual if own is None else own)
    return written


def drawn_later(folder: Path) -> bool:
    """Starts a process that draws the figures of a run; False where they are to be drawn at once:
    the configuration names formats, `LRLAB_FIGURES` says so, or the process would not live."""
    # The first process of a container takes its children with it.
    alone = os.getpid() == 1 or not sys.executable
    if when() != "later" or alone or formats_of(folder) is not None:
        return False
    # As this process finds lrlab, wherever it was started.
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    # Nothing of the terminal: its end does not end the process, and who reads this command's output
    # to its end does not wait for it.
    windows = ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP")
    try:
        subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, str(folder)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=sum(getattr(subprocess, name, 0) for name in windows),
        )
    except OSError:  # no more processes, no memory for one
        return False
    return True


@contextlib.contextmanager
def in_turn() -> Iterator[None]:
    """One process draws at a time, on machines that let it lock a file in the cache folder."""
    import filelock

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, NotImplementedError, filelock.Timeout):
            place = cache_folder()
            place.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(place / "figures.lock", timeout=TURN_SECONDS)
            stack.enter_context(lock)
        yield


def main(folder: Path) -> None:
    """Draws the figures of a run that no longer waits for them; an error goes to `FAILED`."""
    figures = folder / "figures"
    with in_turn():
        if not (folder / "run.json").exists():  # removed meanwhile
            return
        try:
            draw(folder)
            (figures / FAILED).unlink(missing_ok=True)
        except Exception:
            if (folder / "run.json").exists():
                again = f"The figures could not be drawn; lrlab report {shown(folder)} tries again."
                figures.mkdir(exist_ok=True)
                write_text(figures / FAILED, f"{again}\n\n{traceback.format_exc()}")
    with contextlib.suppress(OSError):
        if os.listdir(folder) == [figures.name]:  # what was removed stays removed
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
