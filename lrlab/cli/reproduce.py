"""`lrlab reproduce RUN`."""

from __future__ import annotations

import typer

from lrlab.cli.configured import Json, Quiet, only_json, placed
from lrlab.cli.folders import Folder, find_run
from lrlab.cli.output import emit


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("reproduce", rich_help_panel="Train")(reproduce)


def reproduce(run: Folder, json: Json = False, quiet: Quiet = False) -> None:
    """Run it again from its folder alone, and say how equal the numbers came out."""
    folder = find_run(run)
    with placed(None, str(folder)):
        from lrlab.workflows.reproduce import reproduce as again

        with only_json():
            found = again(folder, progress=not quiet)
    if json:
        emit(found._asdict())
    else:
        print(found.sentence)
