"""The end of a job: its report, and a word where nothing was trained."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lrlab import report, runs
from lrlab.core.errors import Unwritable
from lrlab.core.paths import resolved, shown
from lrlab.report import drawing
from lrlab.report.content.reading import Folders, read_study
from lrlab.report.html import study_page
from lrlab.workflows.job import AnyRan, Ran, Value


class Written(NamedTuple):
    """A run's report: its page (None: there is none), and whether a process of its own draws the
    figures from here on."""

    page: Path | None = None
    drawn_later: bool = False


def concluded(ran: Ran[Value], progress: bool) -> Value:
    """The value of a job that Python asked for, its report written."""
    note(ran, progress)
    report_of(ran)
    return ran.value


def note(ran: AnyRan, progress: bool) -> None:
    """Says that a result was read, where something may be said."""
    if ran.read and ran.run is not None and progress:
        message = "this experiment is finished here: its result is read, not trained again"
        print(f"{shown(ran.run)}: {message}", file=sys.stderr)


def report_of(ran: AnyRan, folders: Folders | None = None, later: bool = False) -> Written:
    """The report of a job's run: written, or what there is where the run was only read.

    Args:
        folders: the run, where it was read from its folder already.
        later: whether figures for which nobody named formats may be drawn when this process is
            gone.
    """
    if ran.run is None:
        return Written()
    place = Path(ran.run)
    page = place / "report.html"
    if ran.read and page.exists():
        return Written(page)
    try:
        written = write_report(place, figures=False, folders=folders)
        if written is None:
            return Written()
        if later and drawing.drawn_later(place):
            return Written(written, True)
        with unwritable(place):
            drawing.draw(place, folders)
        return Written(written)
    except Unwritable:
        if ran.read:  # perhaps from a place where nothing can be written
            return Written()
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
        page = study_page.write_html(read_study(path), path / "report.html")
        if figures:
            drawing.draw(path)
        return page
    places = [path, *(place.parent for place in runs.inner_runs(path))]
    if not any(runs.stages(place) for place in places):
        return None
    content = folders or report.read_all([path])
    with unwritable(path):
        page = report.write_html(content.runs, path / "report.html", content.comparison)
        if figures:
            drawing.draw(path, content)
    return page


@contextlib.contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """What cannot be written says that the run is whole, and how to go on."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise Unwritable(
            where,
            f"the report cannot be written ({error.strerror or error}); the run itself "
            f"is whole: lrlab report {shown(path)}",
        ) from error
