"""`ls` and `doctor`: what there is, what is missing. Neither imports jax."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from lrlab.cli.configured import Json
from lrlab.cli.folders import find_run, folders, read_json
from lrlab.cli.output import FAILED, console, emit, table
from lrlab.config import names
from lrlab.config.problems import ConfigError, Problem
from lrlab.core import registry
from lrlab.core.paths import resolved, short, shown
from lrlab.core.synonyms import did_you_mean
from lrlab.search import rules

REGISTRIES = {**names.REGISTRIES, "rules": rules.REGISTRY}
KINDS = ("runs", "tasks", "models", "schedules", "optimizers", "rules", "probes", "data")
_WITH_OPTIONS = ("schedules", "models", "data", "optimizers", "probes")
_PLURAL = {"data": "data sources"}
_MORE = {
    "schedules": "Each takes warmup, warmup_start, warmup_kind, low_momentum; warmup_cosine is "
    'cosine with 5 % warmup. Lengths are steps, fractions, or words such as "3 epochs".',
    "data": "Each takes valid_fraction, test_fraction, split_seed, scale, max_train, max_valid.",
    "optimizers": "Each takes weight_decay, decoupled, clip_norm, accumulate, ema, average_from, "
    "multipliers. Decimal numbers may be lane axes: optimizer.b2 = [0.9, 0.999].",
    "probes": 'As in probes = ["gradient", {name = "sharpness", k = 3, every = 100}]; each takes '
    "every, in updates. A gradient evaluation is one over all of its examples.",
}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("ls", rich_help_panel="Look")(ls)
    app.command("doctor", rich_help_panel="Look")(doctor)


def ls(
    what: Annotated[
        str, typer.Argument(metavar="[" + "|".join(KINDS) + "]", show_default=False)
    ] = "runs",
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the runs are.")] = "runs",
    json: Json = False,
) -> None:
    """List runs, or what a configuration may name."""
    if what not in KINDS:
        hint = did_you_mean(what, KINDS)
        message = f"nothing called {what!r}{hint} (known: {', '.join(KINDS)})"
        raise ConfigError([Problem("ls", None, "", message)])
    if what == "runs":
        _list_runs(resolved(out), json)
        return
    of_kind = REGISTRIES[what]
    entries = {name: registry.summary(of_kind, name) for name in of_kind.entries}
    if json:
        emit({what: [{"name": name, "summary": text} for name, text in entries.items()]})
        return
    rows = []
    for name, summary in entries.items():
        takes = registry.parameters(of_kind, name) if what in _WITH_OPTIONS else {}
        options = ", ".join(
            key if value.default is None else f"{key}={_default(value.default)}"
            for key, value in takes.items()
            if key not in of_kind.common or value.default != of_kind.common[key]
        )
        rows.append((name, summary + (f"\n({options})" if options else "")))
    caption = f"{len(rows)} {_PLURAL.get(what, what)}. {_MORE.get(what, '')}".strip()
    console().print(table("", (what.removesuffix("s"), ""), rows, caption))


def _default(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _list_runs(root: Path, json: bool) -> None:
    found = []
    for folder in folders(root):
        try:
            manifest = read_json(folder / "run.json") or {}
            summary = read_json(folder / "summary.json") or {}
        except ConfigError:
            manifest, summary = {"status": "damaged"}, {}
        inner = summary.get("best")
        best = inner if isinstance(inner, dict) else summary
        found.append(
            {
                "run": short(folder),
                "command": manifest.get("command"),
                "task": manifest.get("task") or manifest.get("name"),
                "status": manifest.get("status"),
                "lr": best.get("lr"),
                "verdict": best.get("verdict"),
                "changed": _when(folder / "run.json"),
            }
        )
    if json:
        emit({"runs": found})
        return
    if not found:
        print(f"No runs under {shown(root)}/ yet. Begin with: lrlab find configs/digits.toml")
        return
    rows = [
        [_text(value) for value in (Path(run["run"]).name, *list(run.values())[1:])]
        for run in found
    ]
    columns = ("run", "command", "task", "status", "lr", "verdict", "changed")
    open_ = sum(run["status"] in ("running", "interrupted") for run in found)
    caption = f"{len(found)} runs under {shown(root)}/" + (f", {open_} to resume" if open_ else "")
    console().print(table("", columns, rows, caption))


def _when(path: Path) -> str:
    changed = datetime.datetime.fromtimestamp(path.stat().st_mtime)
    return changed.isoformat(" ", "minutes")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def doctor(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run to examine instead.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what works here and what is missing for which feature; or what is wrong with a run."""
    from lrlab.cli import diagnosis

    folder = None if run is None else _remains(run)
    checks = diagnosis.machine() if folder is None else diagnosis.folder(folder)
    bad = [check for check in checks if check.state == "broken"]
    if json:
        emit({"ok": not bad, "checks": [check._asdict() for check in checks]})
    else:
        marks = {"ok": "ok", "missing": "-", "broken": "BROKEN", "note": "note"}
        rows = [(check.what, marks[check.state], check.words) for check in checks]
        missing = sum(check.state == "missing" for check in checks)
        well = "Everything needed is here." if run is None else "Nothing is damaged."
        caption = well if not bad else f"{len(bad)} broken."
        if missing:
            caption += f" {missing} optional features are not installed."
        console().print(table("", ("what", "", ""), rows, caption))
    if bad:
        raise typer.Exit(FAILED)


def _remains(name: str) -> Path:
    """The run folder that `name` means, or a folder with the remains of one."""
    kept = ("config.toml", "commit.json", "history.zarr", "checksums.json")
    folder = resolved(name or ".")
    if any((folder / part).exists() for part in kept):
        return folder
    return find_run(name)
