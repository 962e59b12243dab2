"""`lrlab verify`: published results, reproduced here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import lrlab
from lrlab.cli.failures import DONE, UNLIKE
from lrlab.cli.options import Json, On, Quiet
from lrlab.cli.output import emit
from lrlab.config.remote import named_by_option

if TYPE_CHECKING:
    from lrlab.verify import Verdict


def verify(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Only this case; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where verify.html goes.")] = (
        Path(".")
    ),
    on: On = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Reproduce published results on this machine; exit status 1 when a verdict fails. With `--on`
    each case is a piece of work for one worker.

    Writes verify.html with a figure for each claim.
    """
    from rich.console import Console
    from rich.text import Text

    names, workers = lrlab.verify.named(only or None), named_by_option(on)
    wide = max(len(name) for name in names)
    console = Console(stderr=json, highlight=False)
    status = console.status("")

    def begins(name: str) -> None:
        if not quiet:
            status.update(f"{name} ...")

    def ended(verdict: Verdict) -> None:
        if quiet and verdict.passed:
            return
        line = Text.assemble(
            ("passed", "green") if verdict.passed else ("FAILED", "bold red"),
            f"  {verdict.name:<{wide}} ",
            (f"{verdict.seconds:5.1f} s  ", "bright_black"),
            verdict.claim,
        )
        console.print(line, soft_wrap=True)
        if not verdict.passed:
            for row in _numbers(verdict):
                console.print(Text(f"        {row}"), soft_wrap=True)

    with status:
        verdicts = lrlab.verify.run(names, ended, begins, workers)
    page = lrlab.verify.write_html(verdicts, out / "verify.html")
    payload = lrlab.verify.payload(verdicts)
    if json:
        emit(payload)
    elif not quiet:
        passed = sum(verdict.passed for verdict in verdicts)
        print(f"\n{passed} of {len(verdicts)} published results reproduced; figures: {page}")
    sys.stdout.flush()
    return DONE if payload["passed"] else UNLIKE


def _numbers(verdict: Verdict) -> list[str]:
    """What was expected and what came out, a line for each number."""
    from lrlab.verify.page import flat

    published, measured = flat(verdict.published), flat(verdict.measured)
    rows = [
        f"{name}: published {published.get(name, '-')}, measured {measured.get(name, '-')}"
        for name in dict.fromkeys([*published, *measured])
    ]
    return [*rows, f"passes within: {verdict.tolerance}"]
