"""`lrlab resume`."""

from __future__ import annotations

from pathlib import Path

import lrlab
from lrlab import runs
from lrlab.cli.failures import placed
from lrlab.cli.options import Folder, Json, On, Quiet, Set
from lrlab.cli.output import emit, only_json
from lrlab.cli.run_folders import find_run
from lrlab.cli.training import report
from lrlab.core.paths import short
from lrlab.core.text import Table
from lrlab.training.progress import Control


def resume(
    run: Folder, set_: Set = None, on: On = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Continue an interrupted run, to the same numbers as if it had not been interrupted.

    With --set steps=N a sweep trains on to N updates, where its schedule permits that.
    """
    folder = find_run(run)
    # Opened, and locked, before jax is imported: a second process fails at once.
    with placed(None, str(folder)) as unfinished, runs.opened(folder) as opened:
        runs.refuse_untrained(folder, opened.info, "resumed")
        if not set_ and opened.finished:
            _show_finished(folder, opened.info, json)
            return
        control = Control(unfinished=unfinished.append)
        settings = tuple(set_ or ())
        with only_json():
            ran = lrlab.api.resume(
                opened, overrides=settings, progress=not quiet, control=control, on=on
            )
    report(ran, json, quiet)


def _show_finished(folder: Path, info: Table, json: bool) -> None:
    """Says that a run is done, and its answer."""
    runs.vouch(folder, "summary.json")
    summary = runs.read_summary(folder)
    if json:
        emit({**summary.payload(folder), "run": short(folder), "status": info["status"]})
        return
    sentence = summary.sentence or (summary.best or {}).get("sentence")
    print(str(runs.done(folder)) + (f"\n{sentence}" if sentence else ""))
