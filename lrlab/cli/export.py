"""`lrlab export`: a run's numbers for other tools, in the formats of `export_formats.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from lrlab.cli.export_formats import FORMATS, STDOUT
from lrlab.cli.options import Folder, Json
from lrlab.cli.output import emit, only_json
from lrlab.cli.run_folders import find_run
from lrlab.core.errors import ConfigError, Problem
from lrlab.core.paths import resolved, short, shown
from lrlab.core.synonyms import did_you_mean


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
    if format not in FORMATS:
        hint = did_you_mean(format, FORMATS)
        message = f"unknown format {format!r}{hint} (known: {', '.join(FORMATS)})"
        raise ConfigError([Problem("--format", None, "", message)])
    folder = find_run(run)
    file, write = FORMATS[format]
    target = STDOUT if out == STDOUT else str(resolved(out) if out else folder / file)
    with only_json():
        rows = write(folder, target)
    if json:
        name = target if target == STDOUT else short(target)
        emit({"run": short(folder), "file": name, "format": format, "rows": rows})
    elif target != STDOUT:
        print(f"Wrote {shown(target)}")
