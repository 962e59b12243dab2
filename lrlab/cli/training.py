"""What the commands that train share: one job of the API, and what is printed at its end."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lrlab
from lrlab import config, runs
from lrlab.cli.failures import placed
from lrlab.cli.output import console, emit, only_json
from lrlab.cli.show import show_study
from lrlab.core.paths import short, shown
from lrlab.training.progress import Control

if TYPE_CHECKING:
    from lrlab.workflows.job import Ran


def train(
    command: str,
    path: str,
    settings: list[str] | None,
    out: str | None,
    json: bool,
    quiet: bool,
    on: str | None = None,
) -> None:
    """Runs one command of the API on a configuration file and prints its result."""
    experiment = config.moved(config.load(path, tuple(settings or ()), command=command), on)
    with placed(experiment, path) as unfinished, contextlib.ExitStack() as stack:
        place = out or experiment.out
        # Opened, and locked, before jax is imported: a second process fails at once.
        folder = None if place is None else stack.enter_context(runs.opened(place))
        control = Control(unfinished=unfinished.append)
        with only_json():
            ran = lrlab.api.run(
                command, experiment, out=folder, progress=not quiet, control=control
            )
    report(ran, json, quiet)


def report(ran: Ran[Any], json: bool, quiet: bool) -> None:
    """What a command that trained prints at its end; it writes the run's report too."""
    folders = None
    if json:
        emit(ran.payload if ran.run is None else {**ran.payload, "run": short(ran.run)})
    elif quiet:
        best = ran.payload.get("best") or {}
        print(ran.payload.get("sentence") or best.get("sentence") or ran.value)
    elif "suggestions" in ran.payload:
        console().print(lrlab.report.rules_table(ran.value.curves))
    elif "versus" in ran.payload:
        console().print(lrlab.report.comparison(ran.payload))
    elif "laws" in ran.payload:
        show_study(ran.payload)
    elif ran.run is None:
        print(ran.value)
    else:
        folders = lrlab.report.read_all([ran.run])  # once, for the terminal and for the page
        console().print(lrlab.report.renderable(folders.runs[0]))
    if ran.run is None:
        return
    sys.stdout.flush()
    with only_json():  # the answer is out; what people look at next may take its seconds
        from lrlab.workflows.report import report_of

        written = report_of(ran, folders, later=True)
    if json:
        return
    print(f"\nRun folder: {shown(ran.run)}")
    if written.page:
        print(f"Report:     {shown(written.page)}")
    if written.drawn_later:
        place = shown(Path(ran.run) / "figures")
        print(f"Figures:    {place} (drawn in the background from here on)")
