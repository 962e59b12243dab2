"""`lrlab preview`: what a configuration says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import lrlab
from lrlab import config as configuration
from lrlab.cli.failures import placed
from lrlab.cli.options import Config, Json, Set
from lrlab.cli.output import emit, only_json, words
from lrlab.config import Experiment, Resolved
from lrlab.core.errors import within
from lrlab.core.text import JsonObject, Table

POINTS = 61
"""Places of the run at which a schedule is shown, both ends among them."""


def preview(config: Config, set_: Set = None, json: Json = False) -> None:
    """Show what a configuration says: every field with its default, the lanes, the schedule."""
    experiment = configuration.load(config, tuple(set_ or ()), command="preview")
    with placed(experiment, config), only_json():
        result = described(experiment)
    if json:
        emit(result)
        return
    print(result["config"])
    for key in ("lanes", "axes", "seeds", "steps", "epochs", "digest"):
        if result[key] not in (None, {}):
            print(f"# {key}: {words(result[key])}")
    if result["schedules"]:
        print("# learning rate over the run, as a share of its peak:")
        width = max(map(len, result["schedules"]))
        for label, one in result["schedules"].items():
            facts = f"mean {one['mean']:.4g}, peak {one['peak']:.4g}, last {one['last']:.4g}"
            print(f"#   {label:{width}}  {lrlab.report.sparkline(one['values'])}  {facts}")


def described(experiment: Experiment) -> JsonObject:
    """The JSON object of `preview`."""
    resolved = configuration.resolve(experiment, command="preview")
    text = _text(resolved)  # first: own code is imported before other JAX operations
    schedules = _schedules(resolved)
    return {
        "config": text,
        "axes": {axis.name: list(axis.values) for axis in resolved.axes},
        "seeds": list(resolved.seeds),
        "lanes": len(resolved.seeds) * math.prod(len(axis.values) for axis in resolved.axes),
        "steps": experiment.steps,
        "epochs": experiment.epochs,
        "schedule": next((one["values"] for one in schedules.values()), None),
        "schedules": schedules,
        "digest": resolved.digest,
    }


def _text(resolved: Resolved) -> str:
    """The configuration as TOML. Own code that may have a step of its own, which no optimizer goes
    with, is imported to see; where an optimizer is named, there is nothing to see."""
    experiment = resolved.experiment
    if experiment.task.python is None or "optimizer" in experiment.model_fields_set:
        return resolved.text
    from lrlab.training.suitability import text_of
    from lrlab.training.task import task_of

    entry = next(iter(experiment.entries.values()), experiment)  # a study's axis may be an option
    task = task_of(configuration.resolve(entry, command="preview"))
    return text_of(resolved, task.functions)


def _schedules(resolved: Resolved) -> dict[str, JsonObject]:
    """Every schedule that is trained, side by side: label -> `values` at `POINTS` steps over the
    peak, with their integral over the run (`mean` times the steps), peak and last value. Empty for
    one of the user's own, which is not imported."""
    schedule = resolved.experiment.schedule
    if schedule.external or schedule.python is not None:
        return {}
    shared, entries = configuration.schedule_entries(resolved)
    steps, per_epoch = _length(resolved, shared, entries)
    result = {}
    for entry in entries:
        arguments = {"steps_per_epoch": per_epoch, **shared, **entry}
        arguments.pop("low_momentum", None)
        with within("schedule"):
            values = lrlab.schedules.values(peak=1.0, steps=steps, **arguments)
        places = [round(i * (len(values) - 1) / (POINTS - 1)) for i in range(POINTS)]
        result[lrlab.schedules.label(entry)] = {
            "values": [float(values[i]) for i in places],
            "mean": float(values.mean()),
            "sum": float(values.sum()),
            "peak": float(values.max()),
            "last": float(values[-1]),
        }
    return result


def _length(resolved: Resolved, shared: Table, entries: Sequence[Table]) -> tuple[int, int | None]:
    """Steps, and steps per epoch; the data are only read where a length is in epochs."""
    lengths = [value for one in (shared, *entries) for value in one.values()]
    if not any("epoch" in str(value) for value in lengths):
        return resolved.steps or 1000, None
    from lrlab.training.task import task_of

    examples = task_of(resolved).num_examples
    size = resolved.batch_size
    batch = examples if isinstance(size, str) else size
    steps = configuration.total_steps(resolved.steps, resolved.epochs, size, examples)
    return steps, max(1, examples // max(1, batch))
