"""`lrlab merge`."""

from __future__ import annotations

from typing import Annotated

import typer

import lrlab
from lrlab import runs
from lrlab.cli.options import Json
from lrlab.cli.output import emit, only_json
from lrlab.cli.run_folders import find_run
from lrlab.core.paths import short, shown


def merge(
    folders: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Run folders, their names under runs/, or `last`.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="The new run folder. [default: in runs/]"),
    ] = None,
    json: Json = False,
) -> None:
    """Put the lanes of several runs of one experiment into one sweep, without training anything."""
    places = [find_run(name) for name in folders]
    with only_json():
        result = lrlab.merge(places, out)
    folder, summary = str(result.run), runs.read_summary(str(result.run))
    lanes = int((result.outcome != "not_run").sum())
    if json:
        best = {name: getattr(summary, name) for name in ("lr", "interval", "verdict", "sentence")}
        emit({"run": short(folder), "best": best, "lanes": lanes, "metric": result.metric,
              "merged": [short(place) for place in places]})  # fmt: skip
        return
    print(summary.sentence)
    print(f"\n{lanes:,} lanes of {len(places)} runs. Run folder: {shown(folder)}")
