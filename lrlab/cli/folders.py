"""Commands that take a run folder: resume, show, report, export."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from lrlab.cli.configured import Json, Quiet, only_json, placed, report
from lrlab.cli.output import console, emit, table
from lrlab.config.problems import ConfigError, Problem, did_you_mean
from lrlab.scaling.laws import show_value

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


def show(run: Folder, json: Json = False) -> None:
    """Show a run: its answer, its learning rates, its outcomes."""
    folder = find_run(run)
    if json:
        emit({"run": str(folder), **record(folder), "summary": read_json(folder / "summary.json")})
        return
    if record(folder).get("command") == "study" and (folder / "summary.json").is_file():
        study_table(read_json(folder / "summary.json") or {})
        return
    from lrlab.report import read, renderable

    status = record(folder).get("status")
    if status not in (None, "done", "complete", "finished"):
        print(f"This run is {status}; go on with: lrlab resume {folder}")
    console().print(renderable(read(folder)))


def report_(
    run: Folder,
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Another place.")] = None,
    figures: Annotated[bool, typer.Option(help="Write the figures as PNG and SVG too.")] = True,
    json: Json = False,
) -> None:
    """Build report.html and the figures again, from the run folder alone."""
    from lrlab.report import read, study, write_figures, write_html

    folder = find_run(run)
    target = Path(out) if out else folder
    target.mkdir(parents=True, exist_ok=True)
    page = target / "report.html"
    with only_json():
        if record(folder).get("command") == "study":
            payload = finished_study(folder)
            study.write_html(payload, page)
            if figures:
                study.write_figures(payload, target / "figures")
        else:
            data = read(folder)
            write_html(data, page)
            if figures:
                write_figures(data, target / "figures")
    drawn = sorted(map(str, (target / "figures").glob("*"))) if figures else []
    if json:
        emit({"run": str(folder), "report": str(page), "figures": drawn})
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


def finished_study(folder: Path) -> dict[str, Any]:
    """The summary of a study.

    Raises:
        ConfigError: it is not finished.
    """
    summary = read_json(folder / "summary.json")
    if summary is None:
        message = f"this study is not finished; go on with: lrlab resume {folder}"
        raise ConfigError([Problem(str(folder), None, "", message)])
    return summary


def study_table(summary: dict[str, Any]) -> None:
    """A study's groups, its law and its sentence."""
    rows = [
        (
            show_value(group["value"]),
            group["parametrization"],
            "-" if group["lr"] is None else f"{group['lr']:.2g}",
            "-" if not group["interval"] else "{:.2g} to {:.2g}".format(*group["interval"]),
            group["verdict"],
        )
        for group in summary["groups"]
    ]
    columns = (summary["axis"], "parametrization", "best rate", "as good", "verdict")
    console().print(table("Study", columns, rows, ""))
    print(summary["sentence"])


def find_run(name: str) -> Path:
    """The run folder that `name` means.

    Raises:
        ConfigError: there is none; names the nearest.
    """
    runs = folders(ROOT)
    if name == "last" and runs and not Path(name).exists():
        return runs[-1]
    for path in (Path(name), ROOT / name):
        if (path / "run.json").is_file():
            return path
    if Path(name).is_dir():
        message = f"not a run folder: no run.json in {name}"
    else:
        hint = did_you_mean(Path(name).name, [run.name for run in runs])
        message = f"no such run{hint} (see `lrlab ls runs`)"
    raise ConfigError([Problem(name, None, "", message)])


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
