"""Commands that take a run folder: resume, show, report, export."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from lrlab.cli.configured import Json, Quiet, only_json, placed, report
from lrlab.cli.output import console, emit
from lrlab.config.problems import ConfigError, Problem, did_you_mean

ROOT = Path("runs")
"""Where run folders go unless told otherwise, and where names without a path are looked up."""

Folder = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run folder, its name under runs/, or `last`.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("resume", rich_help_panel="Train")(resume)
    for name, function in (("show", show), ("report", report_), ("export", export)):
        app.command(name, rich_help_panel="Look")(function)


def resume(run: Folder, json: Json = False, quiet: Quiet = False) -> None:
    """Go on with an interrupted run, to the same numbers as if it had not been interrupted."""
    folder = find_run(run)
    with placed(None, str(folder)):
        from lrlab import api

        with only_json():
            ran = api.resume(str(folder), progress=not quiet)
    report(ran, json, quiet)


def show(
    run: Folder,
    every_row: Annotated[
        bool, typer.Option("--all", help="Every learning rate on a row of its own.")
    ] = False,
    json: Json = False,
) -> None:
    """Show a run: its answer, its learning rates, its outcomes; or a comparison."""
    folder = find_run(run, compared=True)
    summary = read_json(folder / "summary.json")
    if json:
        emit({"run": str(folder), **record(folder), "summary": summary})
        return
    from lrlab.report import comparison, read, renderable

    if is_comparison(folder):
        console().print(comparison(summary or {}))
        return
    status = record(folder).get("status")
    if status not in (None, "done", "complete", "finished"):
        print(f"This run is {status}; go on with: lrlab resume {folder}")
    console().print(renderable(read(folder), every_row))


def report_(
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
    from lrlab.report import read_all, write_html
    from lrlab.report.figures import checked, write_all

    wanted = tuple(formats or ("png", "svg"))
    try:
        checked(wanted, theme)
    except ValueError as error:
        raise ConfigError([Problem("--format", None, "", str(error))]) from None
    folders = [find_run(run, compared=True) for run in runs]
    target = Path(out) if out else folders[0] if len(folders) == 1 else Path("report")
    target.mkdir(parents=True, exist_ok=True)
    with only_json():
        found = read_all(folders)
        page = write_html(found.runs, target / "report.html", found.comparison)
        places = write_all(found, target / "figures", wanted, theme) if figures else []
    drawn = sorted(map(str, places))
    if json:
        emit({"run": ", ".join(map(str, folders)), "report": str(page), "figures": drawn})
        return
    print(f"Report:  {page}")
    if drawn:
        print(f"Figures: {target / 'figures'} ({len(drawn)} files)")


def export(
    run: Folder,
    format: Annotated[
        str, typer.Option("--format", "-f", help="csv (one row per lane), curves, npz, or nc.")
    ] = "csv",
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="RUN/export.* unless given; - for csv."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a run's numbers for other tools: csv, curves (long csv), npz, nc (NetCDF)."""
    from lrlab.cli.exporting import FORMATS, write

    if format not in FORMATS:
        hint = did_you_mean(format, FORMATS)
        known = ", ".join(FORMATS)
        message = f"unknown format {format!r}{hint} (known: {known})"
        raise ConfigError([Problem("--format", None, "", message)])
    folder = find_run(run)
    target = out or str(folder / FORMATS[format])
    with only_json():
        rows = write(folder, format, target)
    if json:
        emit({"run": str(folder), "file": target, "format": format, "rows": rows})
    elif target != "-":
        print(f"Wrote {target}")


def find_run(name: str, compared: bool = False) -> Path:
    """The run folder that `name` means; with `compared`, a comparison's folder too.

    Raises:
        ConfigError: there is none; names the nearest.
    """
    runs = folders(ROOT)
    if name == "last" and runs and not Path(name).exists():
        return runs[-1]
    for path in (Path(name), ROOT / name):
        if (path / "run.json").is_file() or (compared and is_comparison(path)):
            return path
    if Path(name).is_dir():
        message = f"not a run folder: no run.json in {name}"
    else:
        hint = did_you_mean(Path(name).name, [run.name for run in runs])
        message = f"no such run{hint} (see `lrlab ls runs`)"
    raise ConfigError([Problem(name, None, "", message)])


def is_comparison(path: Path) -> bool:
    """Whether a folder is a comparison's: a summary, and its runs inside."""
    return (path / "summary.json").is_file() and any(path.glob("*/run.json"))


def folders(root: Path) -> list[Path]:
    """The run folders under `root`, oldest first."""
    found = [path.parent for path in root.glob("*/run.json")]
    return sorted(found, key=lambda path: ((path / "run.json").stat().st_mtime, path.name))


def record(folder: Path) -> dict[str, Any]:
    """run.json, or why it cannot be read."""
    return read_json(folder / "run.json") or {}


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None where the file is absent.

    Raises:
        ConfigError: damaged; names the file.
    """
    if not path.is_file():
        return None
    try:
        return json_module.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        message = f"damaged ({error}); `lrlab doctor {path.parent}` says what can be saved"
        raise ConfigError([Problem(str(path), None, "", message)]) from None
