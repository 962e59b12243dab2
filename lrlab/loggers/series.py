"""What trackers show of many lanes: a series per lane where they are few, else quantities."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from lrlab.core.text import JsonObject, Table

FEW = 32
"""Lanes, at most, that have a series each. More lines in one chart cannot be told apart, and
trackers draw a chart or keep a key per series: 33 rates with 4 seeds and 4 metrics would be 528.
What all lanes did is in the run folder and its report."""


def lane_names(axes: Mapping[str, list[float]]) -> list[str]:
    """What every lane is called, in C order; letters that all trackers take in names.

    >>> lane_names({"lr": [0.01, 0.1], "seed": [0]})
    ['lr_0.01/seed_0', 'lr_0.1/seed_0']
    """
    columns = []
    for name, values in axes.items():
        short = [f"{value:.4g}" for value in values]
        exact = [f"{value:g}" if float(f"{value:g}") == value else repr(value) for value in values]
        texts = short if len(set(short)) == len(set(values)) else exact
        columns.append([f"{name}_{text.replace('+', '')}" for text in texts])
    names = ["/".join(parts) for parts in itertools.product(*columns)]
    if len(set(names)) == len(names):
        return names
    return [f"{name}/lane_{number}" for number, name in enumerate(names)]  # rates may repeat


def scalars(metrics: Mapping[str, np.ndarray], config: JsonObject) -> dict[str, float]:
    """One evaluation as numbers by name: `<metric>/best`, `/median` (`/min`, `/median`, `/max` of
    metrics that are neither better nor worse), the rate of the best, how many lanes train; and of
    at most `FEW` lanes each its own. Numbers that are not finite are left out.

    >>> config = {"lanes": {"lr": [0.1, 1.0], "seed": [0]}, "directions": {"valid_loss": "min"},
    ...           "metric": "valid_loss"}
    >>> scalars({"valid_loss": np.array([[0.5], [0.3]])}, config)  # doctest: +NORMALIZE_WHITESPACE
    {'valid_loss/best': 0.3, 'valid_loss/median': 0.4, 'best_lr': 1.0, 'lanes_training': 2.0,
     'valid_loss/lr_0.1/seed_0': 0.5, 'valid_loss/lr_1/seed_0': 0.3}
    """
    result: dict[str, float] = {}
    for name, values in metrics.items():
        finite = values[np.isfinite(values)].astype(np.float64)
        if not finite.size:
            continue
        direction = config["directions"].get(name)
        middle = float(np.median(finite))
        if direction is None:
            ends = {"min": float(finite.min()), "median": middle, "max": float(finite.max())}
        else:
            best = finite.min() if direction == "min" else finite.max()
            ends = {"best": float(best), "median": middle}
        result |= {f"{name}/{quantity}": value for quantity, value in ends.items()}
    judged = metrics.get(config["metric"])
    if judged is not None and np.isfinite(judged).any():
        sign = -1.0 if config["directions"].get(config["metric"]) == "max" else 1.0
        ranked = np.where(np.isfinite(judged), sign * judged, np.inf)
        place = np.unravel_index(int(np.argmin(ranked)), judged.shape)
        rate = next(iter(config["lanes"]))
        result[f"best_{rate}"] = float(config["lanes"][rate][place[0]])
        result["lanes_training"] = float(np.isfinite(judged).sum())
    names = lane_names(config["lanes"]) if _count(config) <= FEW else []
    for name, values in metrics.items() if names else ():
        for lane, value in zip(names, values.ravel().tolist(), strict=True):
            if math.isfinite(value):
                result[f"{name}/{lane}"] = value
    return result


def _count(config: Table) -> int:
    return math.prod(len(values) for values in config["lanes"].values())


def flat(table: Table, prefix: str = "") -> dict[str, object]:
    """A nested table with dots between the keys, without what is None or empty.

    >>> flat({"a": {"b": 1, "c": None}, "d": [1, 2]})
    {'a.b': 1, 'd': [1, 2]}
    """
    result: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{key}.")
        elif value is not None and value != []:
            result[f"{prefix}{key}"] = value
    return result


SHOWN = (
    "lr", "interval_low", "interval_high", "verdict", "sentence", "confidence", "tolerance",
    "resolved", "cost", "metric", "lanes", "diverged", "seconds", "at", "suggestions",
)  # fmt: skip
"""What of a summary trackers show."""


def outcome(summary: Table) -> dict[str, object]:
    """The numbers and words of a summary that a tracker shows: the answer, the counts.

    >>> outcome({"best": {"lr": 0.1, "interval": [0.05, 0.2], "verdict": "interior"}, "lanes": 4})
    {'lr': 0.1, 'interval_low': 0.05, 'interval_high': 0.2, 'verdict': 'interior', 'lanes': 4}
    """
    answer = {**summary, **(summary.get("best") or {})}
    interval = answer.get("interval")
    if isinstance(interval, (list, tuple)):
        answer |= {"interval_low": interval[0], "interval_high": interval[1]}
    return flat({name: answer[name] for name in SHOWN if name in answer})
