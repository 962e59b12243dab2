"""`lrlab report`: the page and the figures of runs, from their folders alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lrlab
from lrlab.cli.options import Json
from lrlab.cli.output import emit, only_json
from lrlab.cli.run_folders import find_run
from lrlab.core.errors import ConfigError, Problem, Unwritable
from lrlab.core.paths import resolved, short, shown
from lrlab.core.text import counted
from lrlab.runs import is_study

FORMATS = ("png", "svg")
"""The figures' formats where none is asked for."""


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Run folders, their names under runs/, or `last`; several are compared, and a "
            "range test's picks are drawn into runs of the same task and optimizer.",
            show_default=False,
        ),
    ],
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Another place.")] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Of the figures: png, svg, pdf, ...; may be repeated. [default: png and svg]",
        ),
    ] = None,
    theme: Annotated[str, typer.Option(help="Of the figures: light or dark.")] = "light",
    figures: Annotated[bool, typer.Option(help="Write the figures too.")] = True,
    json: Json = False,
) -> None:
    """Build report.html and the figures again, from run folders alone; one report for several."""
    from lrlab.report.figures import checked

    wanted = tuple(formats or FORMATS)
    try:
        checked(wanted, theme)
    except ValueError as error:
        raise ConfigError([Problem("--format", None, "", str(error))]) from None
    folders = [find_run(run, compared=True) for run in runs]
    target = resolved(out) if out else folders[0] if len(folders) == 1 else Path("report")
    page = target / "report.html"
    with only_json():
        try:
            places = _write(folders, page, wanted, theme, figures)
        except OSError as error:
            where = error.filename or target
            raise Unwritable(where, f"cannot be written ({error.strerror})") from None
    drawn = sorted(map(short, places))
    if json:
        emit({"run": ", ".join(map(short, folders)), "report": short(page), "figures": drawn})
        return
    print(f"Report:  {shown(page)}")
    if drawn:
        print(f"Figures: {shown(target / 'figures')} ({counted(len(drawn), 'file')})")


def _write(
    folders: list[Path], page: Path, formats: tuple[str, ...], theme: str, figures: bool
) -> list[Path]:
    """Writes the page and, beside it, the figures; the figures' paths."""
    from lrlab.report.content.reading import read_study
    from lrlab.report.figures import study, write_all
    from lrlab.report.html import study_page

    place = page.parent / "figures"
    if len(folders) == 1 and is_study(folders[0]):
        payload = read_study(folders[0])
        page.parent.mkdir(parents=True, exist_ok=True)
        study_page.write_html(payload, page)
        if not figures:
            return []
        study.write_figures(payload, place)
        return sorted(place.glob("*"))
    content = lrlab.report.read_all(folders)
    page.parent.mkdir(parents=True, exist_ok=True)
    lrlab.report.write_html(content.runs, page, content.comparison)
    return write_all(content, place, formats, theme) if figures else []
