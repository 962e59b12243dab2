"""What `lrlab rm` and `lrlab gc` share: what would go is shown first, and goes with --yes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lrlab import runs
from lrlab.cli.output import emit
from lrlab.core.errors import ConfigError, Problem, RunError, Unwritable
from lrlab.core.paths import short, shown
from lrlab.core.text import counted

Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Remove them; without it they are only listed.")
]


def megabytes(size: int) -> str:
    """Bytes for people.

    >>> megabytes(4_100_000), megabytes(23_067)
    ('4.1 MB', '23 kB')
    """
    if size < 1e5:
        return f"{size / 1e3:,.0f} kB"
    return f"{size / 1e6:,.1f} MB"


def refused(error: RunError) -> Problem:
    """Why a folder stays, as a problem of the input."""
    return Problem(short(error.place) if error.place else "lrlab", None, "", error.text)


def remove(paths: Sequence[Path], yes: bool, json: bool, again: str) -> None:
    """Lists the runs with their sizes, or removes them. Where one cannot be removed, none is.

    Args:
        again: the command that removes what is listed.

    Raises:
        ConfigError: every folder that is no run, is in use, or is reached through a link.
    """
    found, problems = [], []
    for path in dict.fromkeys(paths):
        try:
            one = runs.removable(path)
            if one.others:
                named = ", ".join(one.others[:5])
                message = f"holds what lrlab did not write ({named}); move that away first"
                problems.append(Problem(short(one.path), None, "", message))
            found.append(one)
        except Unwritable:
            raise
        except RunError as error:
            problems.append(refused(error))
    if problems:
        raise ConfigError(problems)
    rows = [{"run": short(one.path), "bytes": one.size, "files": one.files} for one in found]
    total = sum(one.size for one in found)
    for one in found:
        if yes:
            runs.remove(one.path)
        if not json:
            files = counted(one.files, "file")
            verb = "Removed" if yes else "Would remove"
            print(f"{verb} {shown(one.path)} ({megabytes(one.size)}, {files})")
    if json:
        emit({"removed": yes, "runs": rows, "bytes": total})
    elif not found:
        print("Nothing to remove.")
    elif not yes:
        print(f"{counted(len(found), 'run')}, {megabytes(total)}; remove with: {again}")
