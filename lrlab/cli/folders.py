"""Commands that take a run folder: resume, show, report, export."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from lrlab.cli.configured import Json, Quiet, Set, only_json, placed, report
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


def resume(run: Folder, set_: Set = None, json: Json = False, quiet: Quiet = False) -> None:
    """Go on with an interrupted run, to the same numbers as if it had not been interrupted.

    With --set steps=N a sweep trains on to N updates, where its schedule permits that.
    """
    from lrlab import runs

    folder = find_run(run)
    with placed(None, str(folder)):
        runs.settle(folder)
        if not set_ and runs.finished(runs.read_info(folder)):
            said_done(folder, json)
            return
        runs.available(folder)  # before jax is imported: a second process is told at once
        from lrlab import api

        with only_json():
            ran = api.resume(str(folder), overrides=tuple(set_ or ()), progress=not quiet)
    report(ran, json, quiet)


def said_done(folder: Path, json: bool) -> None:
    """What `resume` says of a finished run: that it is done, and its answer."""
    from lrlab import runs

    runs.vouch(folder, "summary.json")
    summary = read_json(folder / "summary.json") or {}
    best = summary.get("best") if isinstance(summary.get("best"), dict) else {}
    if json:
        emit({**summary, "run": str(folder), "status": "finished"})
        return
    sentence = summary.get("sentence") or (best or {}).get("sentence")
    print(runs.done(folder) + (f"\n{sentence}" if sentence else ""))


def show(run: Folder, json: Json = False) -> None:
    """Show a run: its answer, its learning rates, its outcomes."""
    from lrlab import runs

    folder = find_run(run)
    info = read_json(folder / "run.json") or {}
    if "format" in info:
        info = runs.read_info(folder)
    if runs.finished(info):
        runs.vouch(folder, "summary.json")
    if json:
        emit({"run": str(folder), **info, "summary": read_json(folder / "summary.json")})
        return
    if info.get("command") == "study" and (folder / "summary.json").is_file():
        study_table(read_json(folder / "summary.json") or {})
        return
    from lrlab.report import read, renderable

    if not runs.finished(info):
        print(f"This run is {info.get('status')}; go on with: lrlab resume {folder}")
    inner = [place.parent for place in runs.inner_runs(folder)]
    summary = read_json(folder / "summary.json") or {}
    if inner and summary.get("sentence"):
        print(summary["sentence"])
    for place in inner or [folder]:
        if runs.stages(place) or not inner:
            console().print(renderable(read(place)))


def report_(
    run: Folder,
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Another place.")] = None,
    figures: Annotated[bool, typer.Option(help="Write the figures as PNG and SVG too.")] = True,
    json: Json = False,
) -> None:
    """Build report.html and the figures again, from the run folder alone."""
    from lrlab import runs
    from lrlab.report import read, study, write_figures, write_html

    folder = find_run(run)
    target = Path(out) if out else folder
    inner = [place.parent for place in runs.inner_runs(folder) if runs.stages(place.parent)]
    page, drawn = target / "report.html", []
    with only_json():
        payload = finished_study(folder) if runs.is_study(folder) else None
        data = [read(place) for place in inner or [folder]] if payload is None else []
        try:
            target.mkdir(parents=True, exist_ok=True)
            if payload is not None:
                study.write_html(payload, page)
                if figures:
                    study.write_figures(payload, target / "figures")
                    drawn += sorted(map(str, (target / "figures").glob("*")))
            else:
                write_html(data if inner else data[0], page)
            for one, place in zip(data, inner or [folder], strict=True) if figures and data else ():
                into = target / place.name / "figures" if inner else target / "figures"
                write_figures(one, into)
                drawn += sorted(map(str, into.glob("*")))
        except OSError as error:
            where = error.filename or target
            raise runs.Unwritable(f"{where}: cannot be written ({error.strerror})") from None
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
        message = f"damaged ({error}); `lrlab doctor {path.parent}` says what can be saved"
        raise ConfigError([Problem(str(path), None, "", message)]) from None
