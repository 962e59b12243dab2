"""`lrlab bench`: the same training by lrlab and by the alternatives."""

from __future__ import annotations

import json as jsons
import sys
from pathlib import Path
from typing import Annotated

import typer

import lrlab
from lrlab.cli.failures import DONE, FAILED
from lrlab.cli.options import Json, Quiet
from lrlab.cli.output import emit


def bench(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only this workload; repeatable."),
    ] = None,
    way: Annotated[
        list[str] | None,
        typer.Option("--way", metavar="NAME", help="Only lrlab and this way; repeatable."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Steady turns per way; the median counts.")] = 5,
    cores: Annotated[int | None, typer.Option(help="Cores per way; all by default.")] = None,
    torch: Annotated[
        str | None,
        typer.Option(metavar="PYTHON", help="A Python interpreter that has PyTorch."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Keep bench.json, bench.md and bench.png here."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Measure lrlab against what one would write by hand, in JAX and in PyTorch.

    Everything takes turns in one run, each way in a process of its own, and all losses are
    compared. Use a quiet machine; the whole takes about half an hour on two cores.
    """

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    payload = lrlab.bench.run(only, ways=way, repeats=repeats, cores=cores, torch=torch, say=say)
    text = lrlab.bench.markdown(payload)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "bench.json").write_text(jsons.dumps(payload, indent=1) + "\n", "utf-8")
        (out / "bench.md").write_text(f"{text}\n\n{lrlab.bench.explained()}\n", "utf-8")
        lrlab.bench.figure(payload, out / "bench.png")
    if json:
        emit(payload)
    elif not quiet:
        print(text)
    same = all(
        row["same"] is None or row["same"]["passed"]
        for work in payload["workloads"]
        for row in work["ways"]
    )
    if not same:
        print("a way's losses differ from lrlab's: see `same`", file=sys.stderr)
    return DONE if same else FAILED
