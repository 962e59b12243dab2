"""`lrlab show`: the answer, the learning rates and the outcomes of a run, on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lrlab
from lrlab import runs
from lrlab.cli.options import Folder, Json
from lrlab.cli.output import console, emit, table
from lrlab.cli.run_folders import find_run, is_comparison, stored_json
from lrlab.config.groups import show_value
from lrlab.core.errors import ConfigError, Problem
from lrlab.core.paths import short
from lrlab.core.text import JsonObject, interval, rate


def show(
    run: Folder,
    every_row: Annotated[
        bool, typer.Option("--all", help="Every learning rate on a row of its own.")
    ] = False,
    lr: Annotated[
        float | None,
        typer.Option("--lr", metavar="RATE", help="The lanes at the nearest rate instead."),
    ] = None,
    json: Json = False,
) -> None:
    """Show a run: its answer, its learning rates, its outcomes; or a comparison, or a study."""
    if lr is not None and every_row:
        raise ConfigError([Problem("--all", None, "", "shows every rate: use it without --lr")])
    folder = find_run(run, compared=lr is None)
    info = stored_json(folder / "run.json") or {}
    if "format" in info:
        info = runs.read_info(folder)
    if runs.finished(info):
        runs.vouch(folder, "summary.json")
    if lr is not None:
        _show_rate(folder, lr, json)
        return
    summary = stored_json(folder / "summary.json")
    if json:
        emit({"run": short(folder), **info, "summary": summary})
        return
    if info.get("command") == "study" and summary:
        show_study(summary)
        return
    if info and not runs.finished(info):
        print(f"This run is {info.get('status')}; {runs.onward(folder)}")
    if is_comparison(folder):
        console().print(lrlab.report.comparison(summary or {}))
        return
    for place in [place.parent for place in runs.inner_runs(folder)] or [folder]:
        if place == folder or runs.stages(place):
            console().print(lrlab.report.renderable(lrlab.report.read(place, every_row), every_row))


def _show_rate(folder: Path, lr: float, json: bool) -> None:
    if not runs.stages(folder):
        inner = [place.parent.name for place in runs.inner_runs(folder)]
        inner += [f"groups/{place.parent.name}" for place in runs.inner_runs(folder / "groups")]
        more = f"; its runs: {', '.join(inner)}" if inner else ""
        raise ConfigError([Problem("--lr", None, "", f"{short(folder)} has no lanes{more}")])
    data = lrlab.report.read(folder, every_lane=True)
    if json:
        emit(lrlab.report.rate_json(data, lr, str(folder)))
        return
    lines = lrlab.report.rate_lines(data, lr)
    print(lines.sentence)
    console().print(table("", lines.columns, lines.rows, lines.caption))


def show_study(summary: JsonObject) -> None:
    """A study's groups, its law and its sentence."""
    rows = [
        (
            show_value(group["value"]),
            group["parametrization"],
            rate(group["lr"]),
            interval(group["interval"], rate),
            group["verdict"],
        )
        for group in summary["groups"]
    ]
    columns = (summary["axis"], "parametrization", "best rate", "as good", "verdict")
    console().print(table("Study", columns, rows, ""))
    print(summary["sentence"])
