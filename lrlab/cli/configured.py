"""Commands that take a configuration: find, sweep, range-test, compare, plan, preview."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from lrlab import config
from lrlab.cli.output import CommandError, console, emit, table
from lrlab.core.errors import within
from lrlab.core.paths import short, shown

Config = Annotated[str, typer.Argument(metavar="CONFIG", help="A TOML file.", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="Override a field; may be repeated."),
]
Out = Annotated[
    str | None,
    typer.Option("--out", metavar="DIR", help="The run folder; an unfinished one goes on."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; the answer only.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for name, function in (
        ("find", find),
        ("sweep", sweep),
        ("range-test", range_test),
        ("compare", compare),
        ("plan", plan),
        ("preview", preview),
    ):
        app.command(name, rich_help_panel="Train" if name != "preview" else "Look")(function)


def find(
    config: Config, set_: Set = None, out: Out = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Search for the learning rate to train with, and say how sure that is."""
    train("find", config, set_, out, json, quiet)


def sweep(
    config: Config, set_: Set = None, out: Out = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Train every learning rate in `lr`, with every seed, to the end."""
    train("sweep", config, set_, out, json, quiet)


def range_test(
    config: Config, set_: Set = None, out: Out = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Raise the learning rate within one short run, and read off what the rules suggest."""
    train("range-test", config, set_, out, json, quiet)


def compare(
    config: Config, set_: Set = None, out: Out = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Tune every compare.NAME entry alike, and compare what they reach."""
    train("compare", config, set_, out, json, quiet)


def plan(config: Config, set_: Set = None, json: Json = False) -> None:
    """Show how the lanes would be laid on this machine, without training."""
    experiment = load(config, set_, "plan")
    with placed(experiment, config):
        from lrlab import api

        with only_json():
            made = api.plan(experiment)
    if json:
        emit(made)
        return
    reasons = made.get("reasons") or ()
    rows = [(key, _words(value)) for key, value in made.items() if key != "reasons"]
    console().print(table("Plan", ("part", "value"), rows, "\n".join(map(str, reasons))))


def preview(config: Config, set_: Set = None, json: Json = False) -> None:
    """Show what a configuration says: every field with its default, the lanes, the schedule."""
    experiment = load(config, set_, "preview")
    with placed(experiment, config):
        made = _preview(experiment)
    if json:
        emit(made)
        return
    print(made["config"])
    for key in ("lanes", "axes", "seeds", "steps", "epochs", "digest"):
        if made[key] not in (None, {}):
            print(f"# {key}: {_words(made[key])}")
    if made["schedules"]:
        from lrlab.report import sparkline

        print("# learning rate over the run, as a share of its peak:")
        width = max(map(len, made["schedules"]))
        for label, one in made["schedules"].items():
            facts = f"mean {one['mean']:.4g}, peak {one['peak']:.4g}, last {one['last']:.4g}"
            print(f"#   {label:{width}}  {sparkline(one['values'])}  {facts}")


def load(path: str, settings: list[str] | None, command: str) -> Any:
    """The experiment in a file with `--set` options on top."""
    return config.load(path, tuple(settings or ()), command=command)


def train(
    command: str,
    path: str,
    settings: list[str] | None,
    out: str | None,
    json: bool,
    quiet: bool,
) -> None:
    """Run one command of the API and print what came of it."""
    experiment = load(path, settings, command)
    with placed(experiment, path) as unfinished:
        from lrlab import runs

        place = out or experiment.out
        with contextlib.ExitStack() as stack:
            # Opened, and locked, before jax is imported: a second process fails at once.
            folder = None if place is None else stack.enter_context(runs.opened(place))
            from lrlab import api

            stack.enter_context(only_json())
            control = watching(unfinished)
            ran = api.run(command, experiment, out=folder, progress=not quiet, control=control)
    report(ran, json, quiet)


def report(ran: Any, json: bool, quiet: bool) -> None:
    """What a training command prints at its end."""
    if json:
        emit(ran.payload if ran.run is None else {**ran.payload, "run": short(ran.run)})
    elif quiet:
        best = ran.payload.get("best") or {}
        print(ran.payload.get("sentence") or best.get("sentence") or ran.value)
    elif "suggestions" in ran.payload:
        from lrlab.report import rules_table

        console().print(rules_table(ran.value))
    elif "versus" in ran.payload:
        from lrlab.report import comparison

        console().print(comparison(ran.payload))
    elif ran.run is None:
        print(ran.value)
    else:
        from lrlab.report import read, renderable

        console().print(renderable(read(ran.run)))
    if ran.run is not None:
        sys.stdout.flush()
        with only_json():  # the answer is out; what people look at next may take its seconds
            from lrlab.workflows.report import report_of

            page = report_of(ran)
        if not json:
            print(
                f"\nRun folder: {shown(ran.run)}" + (f"\nReport:     {shown(page)}" if page else "")
            )


@contextlib.contextmanager
def placed(experiment: Any, path: str) -> Iterator[list[Path]]:
    """Errors from inside say which experiment and file they are about, for `main` to name both.

    Gives a list for the folder of the run that is left unfinished (see `watching`).

    Raises:
        CommandError: whatever went wrong inside, but for problems that have their places.
    """
    unfinished: list[Path] = []
    try:
        yield unfinished
    except (config.ConfigError, BrokenPipeError):
        raise
    except (Exception, KeyboardInterrupt) as error:  # of the latter typer would say nothing
        run = unfinished[-1] if unfinished else None
        raise CommandError(error, experiment, path, run) from error


def watching(unfinished: list[Path]) -> Any:
    """The `Control` of a job that appends the folder of a run that it leaves unfinished."""
    from lrlab.training.progress import Control

    return Control(unfinished=unfinished.append)


def only_json() -> contextlib.AbstractContextManager[Any]:
    """Whatever libraries print while training goes to standard error."""
    return contextlib.redirect_stdout(sys.stderr)


def _preview(experiment: Any) -> dict[str, Any]:
    resolved = config.resolve(experiment, command="preview")
    lanes = len(resolved.seeds)
    for axis in resolved.axes:
        lanes *= len(axis.values)
    shapes = _shapes(resolved)
    return {
        "config": resolved.text,
        "axes": {axis.name: list(axis.values) for axis in resolved.axes},
        "seeds": list(resolved.seeds),
        "lanes": lanes,
        "steps": experiment.steps,
        "epochs": experiment.epochs,
        "schedule": next((one["values"] for one in shapes.values()), None),
        "schedules": shapes,
        "digest": resolved.digest,
    }


def _shapes(resolved: config.Resolved, points: int = 61) -> dict[str, Any]:
    """Every schedule that is trained, side by side: label -> `values` at `points` steps over the
    peak, with their integral over the run (`mean` times the steps), peak and last value. Empty for
    one made in Python."""
    if resolved.experiment.schedule.external:
        return {}
    from lrlab import schedules

    shared, entries = config.schedule_entries(resolved)
    steps, per_epoch = _length(resolved, shared, entries)
    found = {}
    for entry in entries:
        arguments = {"steps_per_epoch": per_epoch, **shared, **entry}
        arguments.pop("low_momentum", None)
        with within("schedule"):
            values = schedules.values(peak=1.0, steps=steps, **arguments)
        picked = [round(i * (len(values) - 1) / (points - 1)) for i in range(points)]
        found[schedules.label(entry)] = {
            "values": [float(values[i]) for i in picked],
            "mean": float(values.mean()),
            "sum": float(values.sum()),
            "peak": float(values.max()),
            "last": float(values[-1]),
        }
    return found


def _length(resolved: config.Resolved, shared: Any, entries: Any) -> tuple[int, int | None]:
    """Steps, and steps per epoch; the data are only looked at where a length is in epochs."""
    lengths = [value for one in (shared, *entries) for value in one.values()]
    if not any("epoch" in str(value) for value in lengths):
        return resolved.steps or 1000, None
    from lrlab.training.task import task_of

    examples = task_of(resolved).num_examples
    size = resolved.batch_size
    batch = examples if isinstance(size, str) else size
    steps = config.total_steps(resolved.steps, resolved.epochs, size, examples)
    return steps, max(1, examples // max(1, batch))


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(map(_words, value[:8]))
        return shown if len(value) <= 8 else f"{shown}, ... ({len(value)} in all)"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_words(entry)}" for key, entry in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
