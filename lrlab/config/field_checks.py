"""Fields against fields: steps and epochs, ends of a range, metrics, evaluation points."""

from __future__ import annotations

from collections.abc import Mapping

from lrlab.config.options import Found, at
from lrlab.config.schema import DEFAULT_STEPS, TABLES, Experiment
from lrlab.core.text import Table, show


def check_fields(raw: Table) -> Found:
    """What fields that are fine alone get wrong together."""
    if raw.get("steps") is not None and raw.get("epochs") is not None:
        yield ("epochs",), "give steps or epochs, not both"
    ramp = at(raw, ("range_test",))
    if isinstance(ramp, Mapping):
        fields = TABLES[("range_test",)].model_fields
        start, end = (ramp.get(key, fields[key].default) for key in ("start", "end"))
        if all(isinstance(value, (int, float)) for value in (start, end)) and start >= end:
            yield ("range_test", "end"), f"must be above start ({show(start)}), got {show(end)}"
    metric = raw.get("metric")
    if isinstance(metric, str) and metric.partition("_")[0] not in ("train", "valid", "test"):
        yield (
            ("metric",),
            f"must be <split>_<name>, such as {Experiment.model_fields['metric'].default!r}; "
            f"did you mean 'valid_{metric}'?",
        )
    eval_every, steps = raw.get("eval_every"), raw.get("steps", DEFAULT_STEPS)
    listed = raw.get("eval_steps")
    if isinstance(listed, list) and all(isinstance(step, int) for step in listed):
        if eval_every is not None:
            yield ("eval_steps",), "cannot stand beside eval_every; give one of them"
        elif listed != sorted(set(listed)) or not listed:
            yield ("eval_steps",), "must be numbers of updates, each above the one before"
        elif isinstance(steps, int) and listed[-1] > steps > 0:
            yield ("eval_steps",), f"must not go past steps ({steps}), got {listed[-1]}"
    if isinstance(eval_every, int) and isinstance(steps, int) and eval_every > steps > 0:
        yield ("eval_every",), f"must not be above steps ({steps}), got {eval_every}"
