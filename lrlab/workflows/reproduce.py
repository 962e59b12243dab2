"""`reproduce`: a run again from its folder alone, and how equal it came out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lrlab import runs
from lrlab.config import Experiment, moved
from lrlab.core.files import read_json
from lrlab.core.records import OK, LaneRecord
from lrlab.core.text import JsonObject
from lrlab.results.reproduction import Reproduction
from lrlab.runs import RunFolder, read_stage, stages
from lrlab.training.callbacks import decisions_in
from lrlab.training.clock import readings_of
from lrlab.training.continuation import experiment_as_written
from lrlab.training.own_code import say_changed
from lrlab.workflows.compare import FINAL_SEEDS
from lrlab.workflows.find import run_find
from lrlab.workflows.job import Job
from lrlab.workflows.range_test import run_range_test
from lrlab.workflows.sweep import run_sweep

WORKFLOWS: dict[str, Callable[[Job], object]] = {
    "sweep": run_sweep,
    "range-test": run_range_test,
}
"""What repeats a run that decides nothing as it goes."""

GATHERED = {"compare": "", "study": "groups"}
"""Commands whose folder holds runs, and where in it."""

TOLERANCE = 1e-4
"""Relative: how far stable lanes may be apart where rounding differs (other device, JAX, tiles)."""

IDENTICAL, WITHIN, DIFFERENT = "bit-identical", "within tolerance", "different"
LEVELS = (IDENTICAL, WITHIN, DIFFERENT)


def reproduce(folder: str | Path, *, progress: bool = True, on: str | None = None) -> Reproduction:
    """Runs a finished run again from its folder alone and compares every recorded number.

    `on`: where it is trained this time, as the option `--on` says it; None: as it was.

    A search on a time budget is shown the clock readings of the run, so that it decides alike
    however fast the machine is now. Of a comparison or a study every run in its folder is repeated,
    one after another; it came out as the one that came out worst.

    Raises:
        RunError: not finished, damaged, or made in Python (its task is not in the folder).
        ConfigError: its data are not where they were.
    """
    with runs.opened(folder, write=False) as place:
        runs.refuse_untrained(place.path, place.info, "reproduced")
        experiment = moved(experiment_as_written(place), on)
        if not place.finished:
            status = place.info.get("status")
            raise runs.RunError(place.path, f"not finished ({status}); resume it first")
        if place.info["command"] in GATHERED:
            return _all_of(place, list(experiment.entries), progress, on)
        return _single(place, experiment, progress)


def _all_of(folder: RunFolder, names: list[str], progress: bool, on: str | None) -> Reproduction:
    """Every run of a comparison or a study again, as one reproduction."""
    parts = {}
    for name in names:
        with runs.opened(folder.path / GATHERED[folder.info["command"]] / name, write=False) as one:
            parts[name] = _single(one, moved(experiment_as_written(one), on), progress)
    # What was concluded follows from the runs, so that it is not compared again.
    level = max((one.level for one in parts.values()), key=LEVELS.index)
    largest = max(one.largest for one in parts.values())
    first = next((f"{name}, {one.where}" for name, one in parts.items() if one.where), "")
    changes = tuple(dict.fromkeys(change for one in parts.values() for change in one.changes))
    text = "; ".join(f"{name}: {one.sentence}" for name, one in parts.items())
    if level == IDENTICAL:
        text = f"Bit-identical: every recorded number of {', '.join(names)} came out the same."
    return Reproduction(str(folder.path), level, largest, first, changes, text)


def _single(folder: RunFolder, experiment: Experiment, progress: bool) -> Reproduction:
    """A run again, in a temporary folder, and how the two compare."""
    path, info = folder.path, folder.info
    runs.whole_record(path, info)  # damage is reported before anything trains
    say_changed(info, experiment)
    width = experiment.plan.tile_width or folder.tile_width
    plan = experiment.plan.model_copy(update={"tile_width": width, "rewrite": folder.rewrite})
    experiment = experiment.model_copy(update={"plan": plan})
    before = read_json(path / "summary.json")
    # Searches of comparisons from before `run.json` said so trained this many.
    usual = FINAL_SEEDS if "final" in (before.get("details") or {}) else 0
    with tempfile.TemporaryDirectory() as place:
        again = Path(place) / "run"
        quiet = experiment.model_copy(update={"log": {}})  # it is logged where it was made
        job = Job(quiet, out=again, progress=progress, decided=decisions_in(path))
        if info["command"] == "find":
            final_seeds = int(info.get("final_seeds", usual))
            run_find(job, final_seeds=final_seeds, readings=readings_of(path))
        else:
            WORKFLOWS[info["command"]](job)
        changes = tuple(changed(info, runs.read_info(again)))
        largest, where, same = 0.0, "", stages(path) == stages(again)
        if not same:
            where = "the search went another way"
        for name in stages(path) if same else ():
            apart, first = compared(read_stage(path, name), read_stage(again, name))
            if first and not where:
                where = f"stage {name}: {first}" if name else first
            largest = max(largest, apart)
        if not where:  # the same curves, so that only what was made of them can differ
            where = answers_apart(before, read_json(again / "summary.json"))
            largest = np.inf if where else largest
    if not where:
        level, text = IDENTICAL, "Bit-identical: every recorded number came out the same."
    elif same and largest <= TOLERANCE:
        level = WITHIN
        text = f"Equal within tolerance: stable lanes differ by at most {largest:.1e} (relative)."
    else:
        level, text = DIFFERENT, f"Different: first at {where}."
    if info.get("claim") == "tolerance":
        shared = int((info.get("plan") or {}).get("model_devices", 1))
        text += (
            f" The run's lanes are shared by {shared} devices each, so that it claims a tolerance."
            if shared > 1
            else " The run changed its tile width on the way (a device ran out of memory)."
        )
    if level != IDENTICAL and changes:
        text += f" Changed since then: {'; '.join(changes)}."
    return Reproduction(str(path), level, largest, where, changes, text)


def answers_apart(before: object, after: object, name: str = "answer") -> str:
    """The first field in which two answers differ, as `answer.details.rungs[0]`; "" for none.
    Seconds, places and wording do not count, nor what only one of them has: another version says
    more.

    >>> answers_apart({"lr": 0.1, "seconds": 2.0}, {"lr": 0.1, "seconds": 3.0})
    ''
    >>> answers_apart({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]})
    'answer.a[1].b'
    """
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = [
            (f"{name}.{key}", before[key], after[key])
            for key in sorted(({*before} & {*after}) - {"seconds", "run", "sentence", "version"})
        ]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(f"{name}[{i}]", *pair) for i, pair in enumerate(zip(before, after, strict=True))]
    else:
        return "" if before == after else name
    return next(filter(None, (answers_apart(old, new, at) for at, old, new in pairs)), "")


def changed(before: JsonObject, after: JsonObject) -> list[str]:
    """What differs between two records: versions, device, tile width, data, own code."""
    result = []
    old, new = before.get("versions") or {}, after.get("versions") or {}
    for package in sorted(set(old) | set(new)):
        if old.get(package) != new.get(package):
            result.append(f"{package} {old.get(package)} -> {new.get(package)}")
    for field, part in (("device", "kind"), ("device", "platform"), ("plan", "tile_width")):
        a, b = ((record.get(field) or {}).get(part) for record in (before, after))
        if a != b:
            result.append(f"{field} {part} {a} -> {b}")
    if before.get("data_sha256") != after.get("data_sha256"):
        result.append("the data")
    old, new = (record.get("own_code") or {} for record in (before, after))
    result += [
        f"the source of {new[table]['python']}"
        for table in new
        if (old.get(table) or {}).get("sha256") not in (None, new[table]["sha256"])
    ]
    return result


def compared(before: LaneRecord, after: LaneRecord) -> tuple[float, str]:
    """(largest relative difference of stable lanes, first place that is not bit-identical).

    Lanes that diverge in either run are compared for where they differ, not for how much: chaos
    amplifies rounding without bound. A different outcome counts as infinitely far.
    """
    if {n: v.tolist() for n, v in before.axes.items()} != {
        n: v.tolist() for n, v in after.axes.items()
    }:
        return np.inf, "other lanes were trained"
    largest, first, earliest = 0.0, "", np.inf
    if not (before.outcome == after.outcome).all():
        lane = np.argwhere(before.outcome != after.outcome)[0]
        largest, first, earliest = np.inf, f"outcome of lane {place(before, lane)}", -1
    stable = (before.outcome == OK) & (after.outcome == OK)
    for name, old in {**before.history, **before.evaluated}.items():
        new = after.metrics[name].values if name in after.metrics else None
        if new is None or new.shape != old.shape:
            return np.inf, f"{name} is missing or has another shape"
        differs = ~((old == new) | (np.isnan(old) & np.isnan(new)))
        if not differs.any():
            continue
        step, *lane = np.argwhere(differs)[0]
        if not first or (name in before.history and step < earliest):
            first = f"{name}, row {step}, lane {place(before, np.array(lane))}"
            earliest = step
        scale = np.maximum(np.abs(old), 1e-3 * np.nanmax(np.abs(old[:, stable]), initial=1e-30))
        with np.errstate(invalid="ignore"):  # of lanes that are not stable
            apart = np.abs(old - new) / scale
        largest = max(largest, float(np.nanmax(apart[:, stable], initial=0.0)))
    return largest, first


def place(record: LaneRecord, lane: np.ndarray) -> str:
    """A lane by its values: `lr 0.1, seed 2`."""
    pairs = zip(record.axes.items(), lane, strict=True)
    return ", ".join(f"{name} {values[i]:g}" for (name, values), i in pairs)
