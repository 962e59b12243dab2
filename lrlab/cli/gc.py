"""`lrlab gc`: removes old runs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lrlab import runs
from lrlab.cli.options import Json
from lrlab.cli.removing import Yes, refused, remove
from lrlab.cli.run_folders import folders, stored_json
from lrlab.core.errors import ConfigError, Problem, RunError
from lrlab.core.paths import shown
from lrlab.core.synonyms import did_you_mean
from lrlab.runs.lock import LOCK

STATES = ("finished", "stopped", "interrupted", "failed", "running")
"""What `run.json` says of a run: "stopped" by a callback is an end too. One that says "running" and
is not locked was killed."""

OLD_DAYS = 30.0
"""Days without a change after which a run is old: people come back to last week's runs."""

SECONDS_A_DAY = 86400.0


def gc(
    days: Annotated[
        float, typer.Option(help="Runs that nothing was written to for so many days.")
    ] = OLD_DAYS,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="|".join(STATES), help="Only these; may be repeated."),
    ] = None,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the runs are.")] = "runs",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove old runs: lists them with their sizes, and removes them with --yes.

    What is no run, is in use, or lies behind a symbolic link stays.
    """
    if not math.isfinite(days) or days < 0:
        raise ConfigError([Problem("--days", None, "", f"must be 0 or more, got {days:g}")])
    for state in status or ():
        if state not in STATES:
            hint = f"{did_you_mean(state, STATES)} (known: {', '.join(STATES)})"
            raise ConfigError([Problem("--status", None, "", f"unknown status {state!r}{hint}")])
    root = Path(out).expanduser()
    chosen = old(root, days, status or STATES)
    if not json:
        chosen, kept = sorted_out(chosen)
        for problem in kept:
            print(f"Stays: {problem}")
    else:
        chosen, _ = sorted_out(chosen)
    options = [f"--days {days:g}", *(f"--status {state}" for state in status or ())]
    options += [] if out == "runs" else [f"--out {shown(out)}"]
    remove(chosen, yes, json, f"lrlab gc {' '.join(options)} --yes")


def old(root: Path, days: float, states: Sequence[str]) -> list[Path]:
    """The runs under `root` that were last written to so many days ago, and have such a status;
    the oldest first."""
    before, result = time.time() - days * SECONDS_A_DAY, []
    for path in folders(root):
        try:
            info = stored_json(path / "run.json") or {}
        except RunError:
            continue  # damaged: `lrlab doctor` says what can be saved
        if path.is_symlink() or info.get("status") not in states:
            continue
        if last_change(path) <= before:
            result.append(path)
    return result


def last_change(path: Path) -> float:
    """When anything at the top of a run folder was last written, in seconds since 1970; its lock
    apart, which is touched by looking whether it is held."""
    times = [one.lstat().st_mtime for one in path.iterdir() if one.name != LOCK]
    return max(times, default=path.stat().st_mtime)


def sorted_out(paths: Sequence[Path]) -> tuple[list[Path], list[Problem]]:
    """The runs that can be removed, and why the others stay."""
    possible, kept = [], []
    for path in paths:
        try:
            found = runs.removable(path)
        except RunError as error:
            kept.append(refused(error))
            continue
        if found.others:
            named = ", ".join(found.others[:5])
            kept.append(Problem(shown(path), None, "", f"holds what lrlab did not write ({named})"))
        else:
            possible.append(path)
    return possible, kept
