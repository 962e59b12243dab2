"""Some of a run's lanes alone: those that have a place on an axis, and of very many a few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lrlab.core.text import Table
from lrlab.report.content.data import ReportData

MANY_LANES = 4096
"""Lanes beyond which a report shows some of them: a figure has fewer pixels across."""

SHOWN_LANES = 2048
"""How many it then shows, about."""

SHOWN_VALUES = 1 << 25
"""Values of one metric that it reads for them, at most, unless that left fewer than 64 lanes."""


def with_rates(data: ReportData, rates: np.ndarray) -> ReportData:
    """The lanes of some learning rates alone; `rates` int[n], their places in `data.lr`."""
    training = None if data.training is None else data.training[rates]
    record = data.record.take(next(iter(data.record.axes)), rates)
    return data._replace(record=record, training=training)


def drawable(data: ReportData) -> ReportData:
    """The lanes that have a place on an axis in log LR: those of learning rate 0 have none."""
    some = np.flatnonzero(data.lr > 0)
    return data if len(some) in (0, len(data.lr)) else with_rates(data, some)


def sampled(data: ReportData) -> ReportData:
    """Of more than `MANY_LANES` lanes about `SHOWN_LANES`, spread evenly over every axis (by value,
    not by place), with the ends of each, the answer's rate, its interval and its combination; as
    they are where there are fewer."""
    record, size = data.record, data.record.outcome.size
    if size <= MANY_LANES:
        return data
    room = int(np.clip(SHOWN_VALUES // max(1, len(record.steps)), 64, SHOWN_LANES))
    counts = _counts([len(values) for values in record.axes.values()], room)
    wanted, training = _wanted(data.answer or {}, next(iter(record.axes))), data.training
    for dim, (name, count) in enumerate(zip(record.axes, counts, strict=True)):
        values = data.record.axes[name]
        if count < len(values):
            places = _spread(values, count, wanted.get(name, ()))
            record = record.take(name, places)
            training = None if training is None else np.take(training, places, dim)
    return data._replace(record=record, training=training, lanes=size)


def _counts(sizes: Sequence[int], room: int) -> list[int]:
    """How many values of each axis, so that their combinations are no more than `room`: the longest
    axes are thinned.

    >>> _counts([1000, 1000, 1], 2048), _counts([100, 3], 60)
    ([45, 45, 1], [20, 3])
    """
    counts = list(sizes)
    while int(np.prod(counts, dtype=np.float64)) > room and max(counts) > 2:
        longest = counts.index(max(counts))
        others = np.prod([n for i, n in enumerate(counts) if i != longest], dtype=np.float64)
        second = max([n for i, n in enumerate(counts) if i != longest], default=1)
        counts[longest] = max(2, min(counts[longest] - 1, max(int(room / others), second - 1)))
    return counts


def _wanted(answer: Table, rate: str) -> Mapping[str, list[object]]:
    """The values of each axis that the answer names."""
    at = (answer.get("details") or {}).get("at") or answer.get("at") or {}
    wanted: dict[str, list[object]] = {str(name): [value] for name, value in at.items()}
    ends = [answer.get("lr"), *(answer.get("interval") or ())]
    wanted[rate] = [end for end in ends if end is not None]
    return wanted


def _spread(values: np.ndarray, count: int, wanted: Sequence[object]) -> np.ndarray:
    """Places of about `count` values, evenly in their order, and of those that are wanted.

    >>> _spread(np.array([5.0, 1.0, 2.0, 3.0, 4.0]), 2, [3.1]).tolist()
    [0, 1, 3]
    """
    numbers = values.dtype.kind in "fiu"
    order = np.argsort(values, kind="stable") if numbers else np.arange(len(values))
    places = order[np.linspace(0, len(values) - 1, count).round().astype(int)].tolist()
    for one in wanted:
        if numbers and isinstance(one, (int, float)):
            places.append(int(np.argmin(np.abs(values - one))))
        elif not numbers:
            places += np.flatnonzero(values == one).tolist()
    return np.unique(np.array(places, np.int64))
