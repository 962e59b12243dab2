"""Several runs of one experiment as one sweep: their lanes side by side, each once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lrlab import runs
from lrlab.config import toml
from lrlab.core.errors import ConfigError, Problem, RunError
from lrlab.core.paths import resolved, short, shown
from lrlab.core.records import NOT_RUN, OUTCOMES, LaneRecord
from lrlab.core.text import JsonObject, Table, flattened, number, show
from lrlab.results.loading import load_result
from lrlab.results.sweep import Result

MERGED = ("sweep", "find", "import")
"""Commands whose runs hold lanes that can stand beside each other."""

NOT_LANES = (
    "name", "out", "plan", "range_test", "lr", "seeds", "seed", "lr_range", "confidence", "budget",
    "keep",
)  # fmt: skip
"""Fields of a configuration from which no number of a lane follows, or which only list lanes."""

SOURCES = ("data", "params", "program")
"""Parts of a run's identity that the lanes' numbers follow from, beside the configuration."""

CLOSE = 1e-12
"""Relative: rates no further apart are one rate, written by grids of different lengths."""


class Part(NamedTuple):
    """One of the runs: its folder, `run.json`, configuration, and lanes."""

    path: Path
    info: JsonObject
    config: Table
    record: LaneRecord


def merge(
    folders: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str] | None = None
) -> Result:
    """Runs of one experiment, on different learning rates, seeds or other lanes, as one sweep in a
    run folder of its own, which is shown, reported and exported like any. Nothing is trained.

    A lane that is in several counts once, where its numbers are the same to the bit; of one that
    was pruned in one run and trained on in another the longer stays. Combinations that no run
    trained are not run. The runs themselves stay as they are; weights stay in them.

    Args:
        folders: finished sweeps, searches (all lanes they tried), imports, or merged runs.
        out: the new folder; None for one under `runs/`.

    Raises:
        RunError: a folder is no finished run, or holds no lanes; or `out` holds something.
        ConfigError: the runs differ in more than their lanes (every field is named), or a lane has
            different numbers in two of them.
    """
    parts = [_part(Path(resolved(folder))) for folder in folders]
    if len(parts) < 2:
        raise ConfigError([Problem("merge", None, "", "needs two runs at least")])
    if problems := [problem for part in parts[1:] for problem in _apart(parts[0], part)]:
        raise ConfigError(problems)
    record = _together(parts)
    first = parts[0]
    config = _config(first.config, record)
    named = ("metric", "modes", "score", "tolerance", "plan", "data", "data_sha256", "versions",
             "device", "imported")  # fmt: skip
    manifest = {name: first.info[name] for name in named if name in first.info}
    manifest["merged"] = [
        {
            "run": short(part.path),
            "lanes": int((part.record.outcome != NOT_RUN).sum()),
            "tile_width": (part.info.get("plan") or {}).get("tile_width"),
            **{name: part.info.get(name) for name in ("fingerprint", "versions", "device")},
        }
        for part in parts
    ]
    place = None if out is None else resolved(out)
    run = runs.create(place, str(first.info.get("name", "merged")), "sweep", config, manifest)
    try:
        runs.write_record(run, record)
        result = load_result(run.path)
        run.finish(result.summary())
    finally:
        run.close()
    return load_result(run.path)


def _part(path: Path) -> Part:
    info = runs.read_info(path)
    command = info.get("command")
    if command not in MERGED:
        raise RunError(path, f"a {command} has no lanes to merge; {', '.join(MERGED)} have")
    if not runs.finished(info):
        raise RunError(path, f"is unfinished; {runs.onward(path)}")
    config = tomllib.loads(runs.config_of(path, info))
    return Part(path, info, config, runs.whole_record(path, info))


def _apart(first: Part, other: Part) -> list[Problem]:
    """What two runs differ in beside their lanes, field by field."""
    place = f"{shown(other.path)} beside {shown(first.path)}"
    axes = list(first.record.axes), list(other.record.axes)
    if axes[0] != axes[1]:
        words = [", ".join(names) for names in axes]
        return [Problem(place, None, "lanes", f"are over {words[1]}; those there over {words[0]}")]
    old, new = (_fields(part) for part in (first, other))
    problems = [
        Problem(place, None, name, f"{_said(new, name)}; there it is {_said(old, name)}")
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    before, now = (dict(part.info.get("identity") or {}) for part in (first, other))
    machines = [dict(part.info.get("versions") or {}) for part in (first, other)]
    same_jax = all(machines[0].get(k) == machines[1].get(k) for k in ("jax", "jaxlib"))
    for name in SOURCES if not problems else ():
        told = name == "program" and not same_jax  # another JAX may write the same code otherwise
        if before.get(name) != now.get(name) and before and now and not told:
            problems.append(Problem(place, None, name, "is another one (its checksum differs)"))
    if not problems:
        for name in ("steps", "eval_steps"):
            if not np.array_equal(getattr(first.record, name), getattr(other.record, name)):
                problems.append(Problem(place, None, name, "are others"))
        lost = set(first.record.metrics) ^ set(other.record.metrics)
        if lost:
            message = f"only one of them has {', '.join(sorted(lost))}"
            problems.append(Problem(place, None, "metrics", message))
    return problems


def _fields(part: Part) -> JsonObject:
    """The fields of a configuration that shape a lane, by their paths."""
    axes = [name for name in part.record.axes if name not in ("lr", "seed", "schedule")]
    flat = flattened(part.config)
    return {
        name: value
        for name, value in flat.items()
        if name.partition(".")[0] not in NOT_LANES
        and name.rpartition(".")[2] not in axes
        and not (name.startswith("multipliers.") and any(a.startswith("multiplier_") for a in axes))
    }


def _said(fields: Table, name: str) -> str:
    return show(fields[name]) if name in fields else "absent"


def _together(parts: Sequence[Part]) -> LaneRecord:
    """All lanes on one grid; what nobody trained is not run there."""
    snapped = [_snapped(part.record.axes, parts) for part in parts]
    axes = {
        name: np.unique(np.concatenate([own[name] for own in snapped]))
        for name in parts[0].record.axes
    }
    shape = tuple(map(len, axes.values()))
    cells = [
        np.ravel_multi_index(
            np.ix_(*(np.searchsorted(axes[name], own[name]) for name in axes)), shape
        ).ravel()
        for own in snapped
    ]
    merged = parts[0].record.flat().grid(axes, cells[0]).flat()
    owners = np.zeros(len(merged.outcome), int)
    problems: list[Problem] = []
    for count, (part, places) in enumerate(zip(parts[1:], cells[1:], strict=True), 1):
        flat = part.record.flat()
        problems += _unequal(merged, flat, places, [parts[owners[c]] for c in places], part)
        longer = flat.steps_trained > merged.steps_trained[places]
        longer |= (merged.outcome[places] == NOT_RUN) & (flat.outcome != NOT_RUN)
        to, lanes = places[longer], np.flatnonzero(longer)
        owners[to] = count
        for field in ("outcome", "diverged_at", "steps_trained", "last_loss"):
            getattr(merged, field)[to] = getattr(flat, field)[lanes]
        for name, metric in merged.metrics.items():
            metric.values[:, to] = flat.metrics[name].values[:, lanes]
        for name, values in merged.initial.items():
            if name in flat.initial:
                values[to] = flat.initial[name][lanes]
    if problems:
        raise ConfigError(problems)
    seconds = sum(part.record.seconds for part in parts)
    return merged.grid(axes)._replace(seconds=seconds)


def _snapped(own: Mapping[str, np.ndarray], parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """The values of axes, each as the first run has it that has the same up to rounding."""
    result = {}
    for name, values in own.items():
        known = np.concatenate([part.record.axes[name] for part in parts])
        near = [known[np.argmax(np.isclose(known, value, rtol=CLOSE, atol=0))] for value in values]
        result[name] = np.array(near, values.dtype)
    return result


def _unequal(
    merged: LaneRecord, flat: LaneRecord, places: np.ndarray, owners: Sequence[Part], part: Part
) -> list[Problem]:
    """Lanes that are in two runs with other numbers, up to where the shorter one ends."""
    for lane, cell in enumerate(places):
        if NOT_RUN in (merged.outcome[cell], flat.outcome[lane]):
            continue
        end = min(merged.steps_trained[cell], flat.steps_trained[lane])
        for name, metric in merged.metrics.items():
            times = merged.steps if metric.axis == "step" else merged.eval_steps - 1
            rows = times < end
            ours, theirs = metric.values[rows, cell], flat.metrics[name].values[rows, lane]
            apart = ~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))
            if not apart.any():
                continue
            at = int(np.argmax(apart))
            where = ", ".join(f"{k} {number(v[lane], 6)}" for k, v in flat.axes.items())
            owner = owners[lane]
            widths = [(one.info.get("plan") or {}).get("tile_width") for one in (owner, part)]
            hint = f" (tile widths {widths[0]} and {widths[1]})" if widths[0] != widths[1] else ""
            ends = [OUTCOMES[merged.outcome[cell]], OUTCOMES[flat.outcome[lane]]]
            message = (
                f"the lane with {where} is in {shown(owner.path)} too, with other numbers{hint}: "
                f"{name} at step {int(times[rows][at])} is {ours[at]:.9g} there and "
                f"{theirs[at]:.9g} here ({ends[0]}, {ends[1]}); leave one of the runs out"
            )
            return [Problem(shown(part.path), None, "", message)]
    return []


def _config(table: Table, record: LaneRecord) -> str:
    """The first run's configuration with the lanes of all."""
    axes = record.axes
    content: dict[str, Any] = {**table, "seeds": axes["seed"].tolist()}
    content.pop("keep", None)
    rates = {name: v.tolist() for name, v in axes.items() if name == "lr" or name[:3] == "lr_"}
    if "imported" not in table:
        one = rates.get("lr")
        content["lr"] = one if one else {name[3:]: v for name, v in rates.items()}
    else:
        del content["seeds"]
    for name, values in axes.items():
        if name in rates or name in ("seed", "schedule"):
            continue
        for key in ("axes", "optimizer", "schedule"):
            if isinstance(content.get(key), Mapping) and name in content[key]:
                content[key] = {**content[key], name: values.tolist()}
    return toml.dumps(content)
