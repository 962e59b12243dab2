"""`lrlab ui`: the local page of runs."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from lrlab.cli.options import Json
from lrlab.cli.output import emit
from lrlab.cli.run_folders import ROOT
from lrlab.core.errors import ConfigError, Problem, RunError
from lrlab.core.extras import install
from lrlab.core.paths import resolved, short, shown

MISSING = f"the local page needs starlette and uvicorn: {install('ui')}"
"""What is said without the extra."""


def ui(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="[RUNS]", help="A folder of runs, or one run. [default: runs]",
            show_default=False,
        ),
    ] = str(ROOT),
    host: Annotated[
        str,
        typer.Option(
            help="The address to answer on. Where other machines reach it, the page's address has "
            "a random token."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="[default: 8642, or a free one where that is taken]",
            show_default=False,
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Show runs in a browser, live: a list to filter and compare, and each run's report as it
    grows. Reads only."""
    root = resolved(folder)
    if not root.is_dir():
        raise ConfigError([Problem(folder, None, "", "no such folder")])
    try:
        from lrlab.ui import server
        from lrlab.ui.pages import address
    except ImportError as error:
        raise RunError(f"{MISSING} ({error})") from None
    run = root.name if (root / "run.json").is_file() else ""
    if run:
        root = root.parent
    bound = server.bind(host, port)
    where = bound.address + (address([run]) if run else "")

    def ready() -> None:
        if json:
            emit({"address": where, "runs": short(root)})
        else:
            print(f"Runs under {shown(root)}/: {where}\nCtrl-C ends it.", flush=True)
        if open_:
            webbrowser.open(where)

    server.serve(root, bound, ready)
