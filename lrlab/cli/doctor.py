"""`lrlab doctor`: what works here, or what is wrong with a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lrlab.cli import doctor_checks
from lrlab.cli.failures import FAILED
from lrlab.cli.options import Json
from lrlab.cli.output import console, emit, table
from lrlab.cli.run_folders import find_run
from lrlab.core.paths import resolved

MARKS = {"ok": "ok", "missing": "-", "broken": "BROKEN", "note": "note"}
"""State of a check -> what people read."""

REMAINS = ("config.toml", "commit.json", "history.zarr", "checksums.json")
"""Any of these makes a folder one that can be examined, though its `run.json` is lost."""


def doctor(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run to examine instead.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what works here and what is missing for which feature; or what is wrong with a run."""
    checks = doctor_checks.machine() if run is None else doctor_checks.folder(_examined(run))
    bad = [check for check in checks if check.state == "broken"]
    if json:
        emit({"ok": not bad, "checks": [check._asdict() for check in checks]})
    else:
        rows = [(check.what, MARKS[check.state], check.words) for check in checks]
        missing = sum(check.state == "missing" for check in checks)
        well = "Everything needed is here." if run is None else "Nothing is damaged."
        caption = well if not bad else f"{len(bad)} broken."
        if missing:
            caption += f" {missing} optional features are not installed."
        console().print(table("", ("what", "", ""), rows, caption))
    if bad:
        raise typer.Exit(FAILED)


def _examined(name: str) -> Path:
    """The run folder that `name` means, or a folder with the remains of one."""
    folder = resolved(name or ".")
    return folder if any((folder / part).exists() for part in REMAINS) else find_run(name)
