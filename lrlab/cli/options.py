"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from lrlab.cli import completion

Config = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="A TOML file, the name of a task (`lrlab ls tasks`), or a data file (csv, npz).",
        show_default=False,
        autocompletion=completion.configurations,
    ),
]
Folder = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run folder, its name under runs/, or `last`.",
        show_default=False,
        autocompletion=completion.runs,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="A.B=VALUE",
        help="Override a field; may be repeated.",
        autocompletion=completion.fields,
    ),
]
Out = Annotated[
    str | None,
    typer.Option("--out", metavar="DIR", help="The run folder; an unfinished run is continued."),
]
On = Annotated[
    str | None,
    typer.Option(
        "--on", metavar="WHERE", help="Train on `ray`, `auto`, `ray://HOST:PORT`, or `local`ly."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; the answer only.")]
