"""`lrlab replay`: one lane again, watched update by update."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lrlab.cli.failures import placed
from lrlab.cli.options import Folder, Json, Quiet
from lrlab.cli.output import console, emit, only_json, table
from lrlab.cli.run_folders import find_run

if TYPE_CHECKING:
    from rich.table import Table

    from lrlab.workflows.landscape import Slice
    from lrlab.workflows.replay import Replay

SHOWN = 15
"""Updates that the terminal shows: the last ones."""

FIRST = ("train_loss", "learning_rate", "gradient_norm", "update_norm", "weight_norm")
"""Columns in this order; further ones (probes) after them. JSON has all."""


def replay(
    run: Folder,
    lr: Annotated[float | None, typer.Option(help="The lane's learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="The lane's seed.")] = None,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="AXIS=VALUE", help="A further lane axis; repeatable."),
    ] = None,
    from_step: Annotated[int | None, typer.Option(help="The first update to watch.")] = None,
    to_step: Annotated[int | None, typer.Option(help="Stop before this update.")] = None,
    probe: Annotated[
        list[str] | None, typer.Option("--probe", metavar="NAME", help="See lrlab ls probes.")
    ] = None,
    slice: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the loss on the plane of the lane's path into this png, svg or pdf.",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train one lane of a run again, alone, and watch every update: what made it explode?"""
    folder = find_run(run)
    with placed(None, str(folder)):
        from lrlab.workflows.replay import replay as train_again

        axes = dict(map(_pair, at or ()))
        if slice is not None and slice.suffix not in (".png", ".svg", ".pdf"):
            raise ValueError(f"--slice: a file that ends in .png, .svg or .pdf, not {str(slice)!r}")
        with only_json():
            result = train_again(
                folder,
                lr=lr,
                seed=seed,
                at=axes,
                from_step=from_step,
                to_step=to_step,
                probes=probe or (),
            )
            plane = None if slice is None else _draw(slice, folder, lr, seed, axes)
    if json:
        emit({**result._asdict(), **({} if plane is None else {"slice": plane})})
        return
    if not quiet:
        console().print(_table(result))
    print(result.sentence)
    if plane is not None:
        print(f"{slice}: the loss on a plane that holds {plane.explained:.0%} of the lane's path.")


def _table(result: Replay) -> Table:
    """The last updates, one row each."""
    others = [name for name in result.series if not name.startswith("train_")]
    names = [name for name in dict.fromkeys([*FIRST, *others]) if name in result.series]
    rows = [
        [str(step), *(f"{result.series[name][i]:.4g}" for name in names)]
        for i, step in enumerate(result.steps)
    ]
    lane = ", ".join(f"{name} {value:.4g}" for name, value in result.lane.items())
    hidden = len(rows) - SHOWN
    more = f"{hidden} earlier updates: --json has all" if hidden > 0 else ""
    columns = ["update", *(name.replace("_", " ") for name in names)]
    return table(f"Replay of {lane}", columns, rows[-SHOWN:], more)


def _draw(
    file: Path, folder: Path, lr: float | None, seed: int | None, at: dict[str, float]
) -> Slice:
    from lrlab.report.figures import style
    from lrlab.report.figures.slices import loss_plane
    from lrlab.workflows.landscape import slice_of

    plane = slice_of(folder, lr=lr, seed=seed, at=at)
    with style.use():
        loss_plane(plane).savefig(file)
    return plane


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ValueError(f"--at takes AXIS=VALUE, such as weight_decay=0.1; got {text!r}") from None
