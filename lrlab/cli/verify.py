"""`lrlab verify`: published results, reproduced here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lrlab.cli.configured import Json, Quiet
from lrlab.cli.output import DONE, emit


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("verify", rich_help_panel="Look")(verify)


def verify(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Only this case; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where verify.html goes.")] = (
        Path(".")
    ),
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Reproduce published results on this machine; exit status 1 when a verdict fails."""
    from lrlab import verify as cases

    def told(verdict: cases.Verdict) -> None:
        word = "passed" if verdict.passed else "FAILED"
        line = f"{word}  {verdict.name:<16} {verdict.seconds:6.1f} s  {verdict.claim}"
        if not quiet or not verdict.passed:
            print(line, file=sys.stderr if json else sys.stdout, flush=True)

    verdicts = cases.run(only or None, told)
    page = cases.write_html(verdicts, out / "verify.html")
    payload = cases.payload(verdicts)
    if json:
        emit(payload)
    elif not quiet:
        passed = sum(verdict.passed for verdict in verdicts)
        print(f"{passed} of {len(verdicts)} published results reproduced; figures: {page}")
    return DONE if payload["passed"] else 1
