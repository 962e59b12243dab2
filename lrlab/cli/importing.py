"""`lrlab import`: curves that were made elsewhere, as a run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import lrlab
from lrlab import runs
from lrlab.cli.options import Json
from lrlab.cli.output import emit, only_json
from lrlab.core.errors import ConfigError, FieldError, Problem
from lrlab.core.paths import short, shown
from lrlab.core.text import counted

if TYPE_CHECKING:
    from lrlab.results.sweep import Result

Out = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="The new run folder. [default: in runs/]")
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="NAME=VALUE", help="Leave the others out; may be repeated."),
]
Metric = Annotated[str | None, typer.Option("--metric", help="What to call the values.")]
Initial = Annotated[
    float | None, typer.Option("--initial", help="The metric before training, if it is known.")
]

app = typer.Typer(no_args_is_help=True, help="Bring curves from elsewhere under the report.")


@app.command("csv")
def import_csv(
    file: Annotated[str, typer.Argument(metavar="FILE", show_default=False)],
    lr: Annotated[str, typer.Option(help="Column: the learning rate.")] = "lr",
    step: Annotated[str, typer.Option(help="Column: updates done.")] = "step",
    value: Annotated[str, typer.Option(help="Column: the metric then.")] = "value",
    seed: Annotated[str | None, typer.Option(help="Column: the seed.")] = None,
    run: Annotated[str | None, typer.Option(help="Column that identifies a run.")] = None,
    maximize: Annotated[bool, typer.Option("--maximize", help="More is better.")] = False,
    delimiter: Annotated[str, typer.Option(help="Between cells.")] = ",",
    where: Where = None,
    metric: Metric = None,
    initial: Initial = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """A long table: a row per training run and step."""
    with only_json(), _options():
        result = lrlab.import_csv(
            file, lr=lr, step=step, value=value, seed=seed, run=run, where=_pairs(where),
            delimiter=delimiter, maximize=maximize, metric=metric, initial=initial, out=out,
        )  # fmt: skip
    _report(result, json)


@app.command("optuna")
def import_optuna(
    storage: Annotated[
        str,
        typer.Argument(
            metavar="STORAGE", help="A URL, a SQLite file or a journal file.", show_default=False
        ),
    ],
    study: Annotated[str | None, typer.Option(help="Its name, where there are several.")] = None,
    lr: Annotated[str | None, typer.Option(help="Parameter: the learning rate.")] = None,
    seed: Annotated[str | None, typer.Option(help="Parameter or user attribute: the seed.")] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A parameter that may differ; may be repeated."),
    ] = None,
    where: Where = None,
    metric: Metric = None,
    initial: Initial = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """A study of Optuna: every trial is a lane, its intermediate values its curve."""
    with only_json(), _options():
        result = lrlab.import_optuna(
            storage, study, lr=lr, seed=seed, where=_pairs(where), ignore=ignore or (),
            metric=metric, initial=initial, out=out,
        )  # fmt: skip
    _report(result, json)


@contextlib.contextmanager
def _options() -> Iterator[None]:
    """What is wrong with the curves is said of the option that names them."""
    try:
        yield
    except FieldError as error:
        raise ConfigError([Problem(f"--{error.field}", None, "", str(error))]) from None


def _pairs(where: list[str] | None) -> dict[str, str]:
    """`NAME=VALUE` settings by name."""
    for text in where or ():
        if "=" not in text:
            raise ConfigError([Problem("--where", None, "", f"write NAME=VALUE, got {text!r}")])
    return dict(text.split("=", 1) for text in where or ())


def _report(result: Result, json: bool) -> None:
    """What was imported, what was not, and the answer."""
    folder = str(result.run)
    source = runs.read_info(Path(folder))["imported"]
    summary = runs.read_summary(folder)
    counts = {name: int((result.outcome == name).sum()) for name in ("ok", "pruned", "diverged")}
    if json:
        best = {name: getattr(summary, name) for name in ("lr", "interval", "verdict", "sentence")}
        emit({"run": short(folder), "best": best, "lanes": counts, "metric": result.metric,
              "source": source})  # fmt: skip
        return
    print(summary.sentence)
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    print(f"\nImported {counted(sum(counts.values()), 'curve')} ({said}) as {result.metric}.")
    for kind, count in (source.get("left_out") or {}).items():
        print(f"Left out: {counted(count, 'trial')} ({kind}).")
    if other := source.get("other_value"):
        print(f"{counted(other, 'trial')} returned another value than the last reported: "
              "the curves count.")  # fmt: skip
    print(f"Run folder: {shown(folder)}")
