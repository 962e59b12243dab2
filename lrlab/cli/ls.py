"""`lrlab ls`: the runs there are, and what a configuration may name."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from lrlab.cli import completion
from lrlab.cli.completion import KINDS
from lrlab.cli.options import Json
from lrlab.cli.output import console, emit, table
from lrlab.cli.run_folders import changed, folders, stored_json
from lrlab.config import names
from lrlab.core import registry
from lrlab.core.errors import ConfigError, Problem, RunError
from lrlab.core.paths import resolved, short, shown
from lrlab.core.registry import Registry
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import counted
from lrlab.runs.summary import best_mean

WITH_OPTIONS = ("schedules", "models", "data", "optimizers", "probes")
"""Kinds whose entries are listed with their options."""

MORE = {
    "schedules": "Each takes warmup, warmup_start, warmup_kind, low_momentum; warmup_cosine is "
    'cosine with 5 % warmup. Lengths are steps, fractions, or words such as "3 epochs".',
    "data": "Each takes valid_fraction, test_fraction, split_seed, scale, max_train, max_valid.",
    "optimizers": "Each takes weight_decay, decoupled, clip_norm, accumulate, ema, average_from, "
    "multipliers. Decimal numbers may be lane axes: optimizer.b2 = [0.9, 0.999].",
    "probes": 'As in probes = ["gradient", {name = "sharpness", k = 3, every = 100}]; each takes '
    "every, in updates. A gradient evaluation is one over all of its examples.",
}
"""What is said below the list of a kind."""

PLURAL = {"data": "data sources"}
"""Kinds that people call otherwise."""


def _best(row: Mapping[str, object]) -> tuple[object, ...]:
    """By what was measured, then the best value first; runs without one last."""
    value, metric = row["best"], str(row["metric"] or "")
    if not isinstance(value, (int, float)):
        return (True, metric, 0.0)
    return (False, metric, -value if row["mode"] == "max" else value)


DATE = "date"
SORTS: Mapping[str, Callable[[Mapping[str, object]], tuple[object, ...]]] = {
    DATE: lambda row: (),  # as they come: the oldest first
    "task": lambda row: (str(row["task"] or ""),),
    "best": _best,
}
"""Orders of the list of runs; those that are equal stay in the order of their dates."""

MOST_ROWS = 200
"""Runs that the table has unless all are asked for: what scrolls by is not read, and the table of
20,000 takes half a minute of processor time."""

LEAST = ("command", "task", "verdict", "changed", "best", "status")
"""Columns that a narrow terminal leaves out, the first one first: a run's name has most of them."""

GAP = 2
"""Characters between two columns."""

UNSEEN = ("metric", "mode")
"""What the JSON object has and the table leaves out."""


def ls(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[" + "|".join(KINDS) + "]",
            show_default=False,
            autocompletion=completion.kinds,
        ),
    ] = "runs",
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the runs are.")] = "runs",
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="|".join(SORTS), help="The order of runs; date by default."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help=f"Every run, where there are more than {MOST_ROWS}.")
    ] = False,
    json: Json = False,
) -> None:
    """List runs, or what a configuration may name."""
    if what not in KINDS:
        hint = did_you_mean(what, KINDS)
        message = f"nothing called {what!r}{hint} (known: {', '.join(KINDS)})"
        raise ConfigError([Problem("ls", None, "", message)])
    if sort is not None and (what != "runs" or sort not in SORTS):
        message = f"unknown order {sort!r}{did_you_mean(sort, SORTS)} (known: {', '.join(SORTS)})"
        if what != "runs":
            message = f"sorts runs; {what} have an order of their own"
        raise ConfigError([Problem("--sort", None, "", message)])
    if every and what != "runs":
        message = f"is for runs; {what} are listed whole"
        raise ConfigError([Problem("--all", None, "", message)])
    if what == "runs":
        _list_runs(resolved(out), sort or DATE, every, json)
        return
    of_kind = registry_of(what)
    entries = {name: registry.summary(of_kind, name) for name in of_kind.entries}
    if json:
        emit({what: [{"name": name, "summary": text} for name, text in entries.items()]})
        return
    rows = [(name, summary + _options(what, name)) for name, summary in entries.items()]
    caption = f"{len(rows)} {PLURAL.get(what, what)}. {MORE.get(what, '')}".strip()
    console().print(table("", (what.removesuffix("s"), ""), rows, caption))


def registry_of(kind: str) -> Registry:
    """The methods of a kind, by name."""
    if kind != "rules":
        return names.REGISTRIES[kind]
    from lrlab.search import rules

    return rules.REGISTRY


def _options(kind: str, name: str) -> str:
    """The options that only this entry has, or with another default, on a line of their own."""
    if kind not in WITH_OPTIONS:
        return ""
    of_kind = registry_of(kind)
    own = ", ".join(
        key if value.default is None else f"{key}={_default(value.default)}"
        for key, value in registry.parameters(of_kind, name).items()
        if key not in of_kind.common or value.default != of_kind.common[key]
    )
    return f"\n({own})" if own else ""


def _default(value: object) -> object:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _list_runs(root: Path, sort: str, every: bool, json: bool) -> None:
    rows = sorted(map(_row, folders(root)), key=SORTS[sort])
    if json:
        emit({"runs": rows})
        return
    if not rows:
        print(f"No runs under {shown(root)}/ yet. Begin with: lrlab find digits-mlp")
        return
    few = rows if every else rows[-MOST_ROWS:] if sort == DATE else rows[:MOST_ROWS]
    shown_rows = [
        {
            key: value
            for key, value in {**row, "run": _name(row["run"])}.items()
            if key not in UNSEEN
        }
        for row in few
    ]
    for row in shown_rows:
        row["changed"] = str(row["changed"]).removeprefix(f"{datetime.date.today().year}-")
    screen = console()
    names = fitting(shown_rows, screen.width)
    cells = [[_text(row[name]) for name in names] for row in shown_rows]
    unfinished = sum(row["status"] in ("running", "interrupted") for row in rows)
    caption = f"{counted(len(rows), 'run')} under {shown(root)}/"
    caption += f", {unfinished} to resume" if unfinished else ""
    if len(few) < len(rows):
        which = "newest" if sort == DATE else "first"
        caption += f"; the {which} {len(few)} are shown, with --all every one"
    screen.print(table("", names, cells, caption))


def fitting(rows: Sequence[Mapping[str, object]], width: int) -> list[str]:
    """The columns of the list of runs that so many characters have room for."""
    names = list(rows[0])
    wide = {name: max(len(name), *(len(_text(row[name])) for row in rows)) for name in names}
    for name in LEAST:
        if sum(wide[one] + GAP for one in names) <= width:
            break
        names.remove(name)
    return names


def _row(folder: Path) -> dict[str, object]:
    try:
        manifest = stored_json(folder / "run.json") or {}
        summary = stored_json(folder / "summary.json") or {}
    except RunError:
        manifest, summary = {"status": "damaged"}, {}
    inner = summary.get("best")
    best = inner if isinstance(inner, dict) else summary
    metric = summary.get("metric") or manifest.get("metric")
    modes = manifest.get("modes")
    mode = modes.get(metric) if isinstance(modes, dict) else None
    written = datetime.datetime.fromtimestamp(changed(folder))
    return {
        "run": short(folder),
        "command": manifest.get("command"),
        "task": manifest.get("task") or manifest.get("name"),
        "status": manifest.get("status"),
        "lr": best.get("lr"),
        "verdict": best.get("verdict"),
        "metric": metric,
        "best": best_mean(summary, str(mode)),
        "mode": mode,
        "changed": written.isoformat(" ", "minutes"),
    }


def _name(run: object) -> str:
    return Path(str(run)).name


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
