"""`lrlab rm`: removes runs by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lrlab.cli import completion
from lrlab.cli.options import Json
from lrlab.cli.removing import Yes, remove
from lrlab.cli.run_folders import ROOT, find_run
from lrlab.core.paths import shown


def rm(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Run folders, or their names under runs/.",
            show_default=False,
            autocompletion=completion.runs,
        ),
    ],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove runs: lists them with their sizes, and removes them with --yes.

    Never a folder that is no run, one that is in use, or one behind a symbolic link.
    """
    places = [place_of(name) for name in names]
    again = f"lrlab rm {' '.join(shown(place) for place in places)} --yes"
    remove(places, yes, json, again)


def place_of(name: str) -> Path:
    """Where a run lies as it was named: links are left to be seen.

    Raises:
        ConfigError: there is no such run; names the nearest.
    """
    for place in (Path(os.path.expanduser(name)), ROOT / name):
        if name and place.is_dir():
            return place
    return find_run(name, compared=True)
