"""Commands that take a run folder: resume, show, report, export."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from lrlab.cli.configured import Json, Quiet, Set, only_json, placed, report, watching
from lrlab.cli.output import console, emit, table
from lrlab.config.problems import ConfigError, Problem, did_you_mean
from lrlab.core.paths import resolved, short, shown
from lrlab.runs.onward import onward
from lrlab.scaling.laws import show_value

ROOT = Path("runs")
"""Where run folders are written by default, and where names without a path are looked up."""

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


def resume(run: Folder, set_: Set = None, json: Json = False, quiet: Quiet = False) -> None:
    """Go on with an interrupted run, to the same numbers as if it had not been interrupted.

    With --set steps=N a sweep trains on to N updates, where its schedule permits that.
    """
    from lrlab import runs

    folder = find_run(run)
    with placed(None, str(folder)) as unfinished:
        # Opened, and locked, before jax is imported: a second process fails at once.
        with runs.opened(folder) as opened, only_json():
            if not set_ and opened.finished:
                said_done(folder, json)
                return
            from lrlab import api

            ran = api.resume(
                opened,
                overrides=tuple(set_ or ()),
                progress=not quiet,
                control=watching(unfinished),
            )
    report(ran, json, quiet)


def said_done(folder: Path, json: bool) -> None:
    """What `resume` says of a finished run: that it is done, and its answer."""
    from lrlab import runs

    runs.vouch(folder, "summary.json")
    summary = runs.read_summary(folder)
    if json:
        emit({**summary.payload(folder), "run": short(folder), "status": "finished"})
        return
    sentence = summary.sentence or (summary.best or {}).get("sentence")
    print(str(runs.done(folder)) + (f"\n{sentence}" if sentence else ""))


def show(
    run: Folder,
    every_row: Annotated[
        bool, typer.Option("--all", help="Every learning rate on a row of its own.")
    ] = False,
    json: Json = False,
) -> None:
    """Show a run: its answer, its learning rates, its outcomes; or a comparison, or a study."""
    from lrlab import runs

    folder = find_run(run, compared=True)
    info = read_json(folder / "run.json") or {}
    if "format" in info:
        info = runs.read_info(folder)
    if runs.finished(info):
        runs.vouch(folder, "summary.json")
    summary = read_json(folder / "summary.json")
    if json:
        emit({"run": short(folder), **info, "summary": summary})
        return
    if info.get("command") == "study" and summary:
        study_table(summary)
        return
    from lrlab.report import comparison, read, renderable

    if info and not runs.finished(info):
        print(f"This run is {info.get('status')}; {runs.onward(folder)}")
    if is_comparison(folder):
        console().print(comparison(summary or {}))
        return
    for place in [place.parent for place in runs.inner_runs(folder)] or [folder]:
        if place == folder or runs.stages(place):
            console().print(renderable(read(place), every_row))


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
    from lrlab.report.figures import checked, study, write_all
    from lrlab.runs import Unwritable, is_study

    wanted = tuple(formats or ("png", "svg"))
    try:
        checked(wanted, theme)
    except ValueError as error:
        raise ConfigError([Problem("--format", None, "", str(error))]) from None
    folders = [find_run(run, compared=True) for run in runs]
    target = resolved(out) if out else folders[0] if len(folders) == 1 else Path("report")
    page, places = target / "report.html", []
    with only_json():
        try:
            if len(folders) == 1 and is_study(folders[0]):
                payload = finished_study(folders[0])
                target.mkdir(parents=True, exist_ok=True)
                study.write_html(payload, page)
                if figures:
                    study.write_figures(payload, target / "figures")
                    places = sorted((target / "figures").glob("*"))
            else:
                found = read_all(folders)
                target.mkdir(parents=True, exist_ok=True)
                write_html(found.runs, page, found.comparison)
                places = write_all(found, target / "figures", wanted, theme) if figures else []
        except OSError as error:
            where = error.filename or target
            raise Unwritable(where, f"cannot be written ({error.strerror})") from None
    drawn = sorted(map(short, places))
    if json:
        emit({"run": ", ".join(map(short, folders)), "report": short(page), "figures": drawn})
        return
    print(f"Report:  {shown(page)}")
    if drawn:
        print(f"Figures: {shown(target / 'figures')} ({len(drawn)} files)")


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
    target = out if out == "-" else str(resolved(out) if out else folder / FORMATS[format])
    with only_json():
        rows = write(folder, format, target)
    if json:
        emit(
            {
                "run": short(folder),
                "file": target if target == "-" else short(target),
                "format": format,
                "rows": rows,
            }
        )
    elif target != "-":
        print(f"Wrote {shown(target)}")


def finished_study(folder: Path) -> dict[str, Any]:
    """The summary of a study.

    Raises:
        ConfigError: it is not finished.
    """
    summary = read_json(folder / "summary.json")
    if summary is None:
        message = f"this study is not finished; {onward(folder)}"
        raise ConfigError([Problem(shown(folder), None, "", message)])
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


def find_run(name: str, compared: bool = False) -> Path:
    """The run folder that `name` means; with `compared`, a comparison's folder too.

    Raises:
        ConfigError: there is none; names the nearest.
    """
    runs = folders(ROOT)
    if name == "last" and runs and not Path(name).exists():
        return resolved(runs[-1])
    for path in (resolved(name or "."), resolved(ROOT / name)):
        if (path / "run.json").is_file() or (compared and is_comparison(path)):
            return path
    if resolved(name or ".").is_dir():
        message = f"not a run folder: no run.json in {name or '.'}"
    else:
        hint = did_you_mean(Path(name).name, [run.name for run in runs])
        message = f"no such run{hint} (see `lrlab ls runs`)"
    raise ConfigError([Problem(name, None, "", message)])


def is_comparison(path: Path) -> bool:
    """Whether a folder is a comparison's: a summary, and its runs inside."""
    return (path / "summary.json").is_file() and any(path.glob("*/run.json"))


def folders(root: Path) -> list[Path]:
    """The run folders under `root`, oldest first."""
    from lrlab import runs

    found = [path.parent for path in runs.inner_runs(root)]
    return sorted(found, key=lambda path: ((path / "run.json").stat().st_mtime, path.name))


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
        message = f"damaged ({error}); `lrlab doctor {shown(path.parent)}` says what can be saved"
        raise ConfigError([Problem(shown(path), None, "", message)]) from None
