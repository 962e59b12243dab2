"""`lrlab replay RUN`: one lane again, watched update by update."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lrlab.cli.configured import Json, Quiet, only_json, placed
from lrlab.cli.folders import Folder, find_run
from lrlab.cli.output import console, emit, table

SHOWN = 15
"""Rows that the terminal shows: the last ones."""

FIRST = ("train_loss", "learning_rate", "gradient_norm", "update_norm", "weight_norm")
"""Columns in this order; further ones (probes) after them. JSON has all."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("replay", rich_help_panel="Train")(replay)


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
            help="Draw the loss on the plane of the lane's way into this png, svg or pdf.",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train one lane of a run again, alone, and watch every update: what made it explode?"""
    folder = find_run(run)
    with placed(None, str(folder)):
        from lrlab.workflows.replay import replay as again

        which: dict[str, Any] = {
            "lr": lr, "seed": seed, "at": dict(_pair(text) for text in at or ())
        }  # fmt: skip
        if slice is not None and slice.suffix not in (".png", ".svg", ".pdf"):
            raise ValueError(f"--slice: a file that ends in .png, .svg or .pdf, not {str(slice)!r}")
        with only_json():
            found = again(
                folder,
                **which,
                from_step=from_step,
                to_step=to_step,
                probes=probe or (),
            )
            cut = None if slice is None else _draw(folder, slice, which)
    if json:
        emit({**found._asdict(), **({} if cut is None else {"slice": cut})})
        return
    if not quiet:
        known = [*FIRST, *(name for name in found.series if not name.startswith("train_"))]
        names = list(dict.fromkeys(name for name in known if name in found.series))
        rows = [
            [str(step), *(f"{found.series[name][i]:.4g}" for name in names)]
            for i, step in enumerate(found.steps)
        ]
        lane = ", ".join(f"{name} {value:.4g}" for name, value in found.lane.items())
        hidden = len(rows) - SHOWN
        more = f"{hidden} earlier updates: --json has all" if hidden > 0 else ""
        columns = ["update", *(name.replace("_", " ") for name in names)]
        console().print(table(f"Replay of {lane}", columns, rows[-SHOWN:], more))
    print(found.sentence)
    if cut is not None:
        print(f"{slice}: the loss on a plane that holds {cut.explained:.0%} of the lane's way.")


def _draw(folder: Path, file: Path, which: dict[str, Any]) -> Any:
    from lrlab.report.figures import style
    from lrlab.report.figures.slices import loss_plane
    from lrlab.workflows.landscape import slice_of

    cut = slice_of(folder, **which)
    with style.use():
        loss_plane(cut).savefig(file)
    return cut


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ValueError(f"--at takes AXIS=VALUE, such as weight_decay=0.1; got {text!r}") from None
