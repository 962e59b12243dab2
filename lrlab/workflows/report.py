"""The end of a job: its report, and a word where nothing was trained."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from lrlab import report, runs
from lrlab.core.errors import Unwritable
from lrlab.core.paths import resolved, shown
from lrlab.report.content.reading import Folders, read_study
from lrlab.report.figures import study, write_comparison
from lrlab.report.html import study_page
from lrlab.workflows.job import Ran, Value


def concluded(ran: Ran[Value], progress: bool) -> Value:
    """The value of a job that Python asked for, its report written."""
    note(ran, progress)
    report_of(ran)
    return ran.value


def note(ran: Ran[Any], progress: bool) -> None:
    """Says that a result was read, where something may be said."""
    if ran.read and ran.run is not None and progress:
        message = "this experiment is finished here: its result is read, not trained again"
        print(f"{shown(ran.run)}: {message}", file=sys.stderr)


def report_of(ran: Ran[Any], folders: Folders | None = None) -> Path | None:
    """The report of a job's run: written, or what there is where the run was only read.

    `folders`: the run, where it was read from its folder already.
    """
    if ran.run is None:
        return None
    page = Path(ran.run) / "report.html"
    if ran.read and page.exists():
        return page
    try:
        return write_report(ran.run, folders=folders)
    except Unwritable:
        if ran.read:  # perhaps from a place where nothing can be written
            return None
        raise


def write_report(
    folder: str | os.PathLike[str], figures: bool = True, folders: Folders | None = None
) -> Path | None:
    """Writes `report.html` and `figures/` of a run from its folder alone; the page's path.

    A comparison's folder gets one page for all of its runs; a study's its own kind of page. None
    where nothing is recorded. `folders`: what the folder holds, where it was read already.
    """
    path = resolved(folder)
    if runs.is_study(path):
        payload = read_study(path)
        if figures:
            study.write_figures(payload, path / "figures")
        return study_page.write_html(payload, path / "report.html")
    places = [path, *(place.parent for place in runs.inner_runs(path))]
    if not any(runs.stages(place) for place in places):
        return None
    content = folders or report.read_all([path])
    try:
        page = report.write_html(content.runs, path / "report.html", content.comparison)
        if figures and len(content.runs) > 1:
            write_comparison(content.runs, path / "figures")
        for one, place in zip(content.runs, content.places, strict=True) if figures else ():
            report.write_figures(one, place / "figures")
    except OSError as error:
        where = error.filename or path
        raise Unwritable(
            where,
            f"the report cannot be written ({error.strerror or error}); the run itself "
            f"is whole: lrlab report {shown(path)}",
        ) from error
    return page
