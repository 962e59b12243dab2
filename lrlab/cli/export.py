"""`lrlab export`: a run's numbers for other tools, in the formats of `export_formats.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

import lrlab
from lrlab import runs
from lrlab.cli.export_formats import FORMATS, ROWS, STDOUT, TEXT, WHOLE, kind_of
from lrlab.cli.options import Folder, Json
from lrlab.cli.output import emit, only_json
from lrlab.cli.output import words as words_of
from lrlab.cli.run_folders import find_run
from lrlab.core.errors import ConfigError, Problem, Unwritable
from lrlab.core.paths import resolved, short, shown
from lrlab.core.synonyms import did_you_mean

NOUNS = {"compare": "comparison", "study": "study"}
"""What a command makes, where that is more than one run."""


def export(
    run: Folder,
    format: Annotated[
        str | None,
        typer.Option(
            "--format", "-f", help="csv (the default), parquet, json, nc, npz, curves (long csv)."
        ),
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(
            "--per",
            help="A row of csv and parquet: lane (the default), or step; of a comparison setting; "
            "of a study group, or rate.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="RUN/export.* unless given; - for text."),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(
            "--params",
            metavar="DIR",
            help="An orbax checkpoint of the weights at the answer, by seed, instead of numbers.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write a run's numbers for other tools (csv, parquet, json, nc (NetCDF), npz, curves), or the
    weights of its answer."""
    if params is not None:
        if format is not None or out is not None or per is not None:
            message = "writes weights, not numbers: use it without --format, --per and --out"
            raise ConfigError([Problem("--params", None, "", message)])
        _weights(find_run(run), resolved(params), json)
        return
    format = format or "csv"
    if format not in FORMATS:
        hint = did_you_mean(format, FORMATS)
        message = f"unknown format {format!r}{hint} (known: {', '.join(FORMATS)})"
        raise ConfigError([Problem("--format", None, "", message)])
    folder = find_run(run, compared=True)
    kind = kind_of(folder)
    _checked(format, per, out, kind)
    file, write, _ = FORMATS[format]
    target = STDOUT if out == STDOUT else str(resolved(out) if out else folder / file)
    try:
        with only_json():
            rows = write(folder, target, per or ROWS[kind][0])
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritable(target, f"cannot be written ({error.strerror or error})") from error
    if json:
        name = target if target == STDOUT else short(target)
        emit({"run": short(folder), "file": name, "format": format, "rows": rows})
    elif target != STDOUT:
        print(f"Wrote {shown(target)}")


def _checked(format: str, per: str | None, out: str | None, kind: str) -> None:
    """Refuses options that the format, or what is exported, does not take."""
    if kind and format not in WHOLE:
        parts = "groups/NAME" if kind == "study" else "NAME"
        message = f"{format} is for the arrays of one run: `lrlab export RUN/{parts}`; "
        message += f"what the {NOUNS[kind]} came to is a table ({', '.join(WHOLE)})"
        raise ConfigError([Problem("--format", None, "", message)])
    if per is not None and not FORMATS[format].table:
        tables = ", ".join(name for name, one in FORMATS.items() if one.table)
        message = f"says what a row is, which {format} does not have; use it with {tables}"
        raise ConfigError([Problem("--per", None, "", message)])
    if per not in (None, *ROWS[kind]):
        what = f" of a {NOUNS[kind]}" if kind else ""
        message = f"a row{what} is for a {' or a '.join(ROWS[kind])}, not {per!r}"
        raise ConfigError([Problem("--per", None, "", message)])
    if out == STDOUT and format not in TEXT:
        message = f"- is for text ({', '.join(TEXT)}); {format} needs a file"
        raise ConfigError([Problem("--out", None, "", message)])


def _weights(folder: Path, target: Path, json: bool) -> None:
    """Writes the weights of a run's answer."""
    if target.exists():
        message = f"{shown(target)} exists already; choose another folder"
        raise ConfigError([Problem("--params", None, "", message)])
    with only_json():
        rate, seeds = lrlab.api.export_params(folder, target)
    further = runs.read_summary(folder).details.get("at") or {}
    if json:
        more = {"at": further} if further else {}
        emit({"run": short(folder), "params": short(target), "lr": rate, "seeds": seeds, **more})
    else:
        words = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
        named = rate.items() if isinstance(rate, Mapping) else [("", rate)]
        at = ", ".join(f"{name} {value:.6g}".strip() for name, value in named)
        at += "".join(f", {name} {words_of(value)}" for name, value in further.items())
        print(f"Wrote the weights at learning rate {at}, {words}, to {shown(target)}")
