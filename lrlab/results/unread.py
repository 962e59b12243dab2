"""What is said of a run whose learning rate, or a further axis, nothing reads."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from lrlab.core.records import LaneRecord
from lrlab.core.text import OWN_STEP, Table
from lrlab.search.naming import named
from lrlab.search.unread import remark, sentence, unread
from lrlab.search.verdict import FLAT
from lrlab.types import Answer

MANY_VALUES = 1 << 25
"""Values of a metric beyond which some of its rows are compared: curves that agree at sixteen
updates and at every evaluation are those of one rate."""


def of_record(record: LaneRecord, rates: Collection[str] = ("lr",)) -> tuple[str, ...]:
    """The lane axes that nothing reads, as what lanes recorded shows (`search.unread.unread`)."""
    flat = record.flat()
    losses = _some_rows(flat.history["train_loss"])
    moved = np.zeros(flat.outcome.shape, bool)
    for name, rows in flat.evaluated.items():
        if name in flat.initial:
            moved |= (np.isfinite(rows) & (rows != flat.initial[name])).any(0)
    moved &= flat.diverged_at < 0  # lanes that all end at once look alike at any rate
    if not moved.any():
        return ()
    with np.errstate(over="ignore", under="ignore"):
        held = {
            name: np.asarray(values).astype(losses.dtype)
            for name, values in flat.axes.items()
            if name != "seed"
        }
    ends = flat.diverged_at.astype(np.float64)[None]
    return unread(held, flat.axes["seed"], moved, [ends, *flat.evaluated.values(), losses], rates)


def _some_rows(rows: np.ndarray) -> np.ndarray:
    """Rows that show whether curves are alike: all of them, or of very many values a few."""
    if rows.size <= MANY_VALUES:
        return np.asarray(rows)
    few = np.unique(np.linspace(0, len(rows) - 1, 16).round().astype(int))
    return np.stack([rows[int(row)] for row in few])


def rates_of(config_text: str) -> tuple[str, ...]:
    r"""The lane axes that are learning rates: `lr`, and those of parameter groups.

    >>> rates_of("[groups]\nhidden = 'h*'\n")
    ('lr', 'lr_hidden')
    """
    groups = _table(config_text).get("groups")
    return ("lr", *(f"lr_{group}" for group in groups or ()))


def method_of(config_text: str) -> str | None:
    """The optimizer's registered name; `OWN_STEP` of a task with a step of its own; None where the
    optimizer, or the schedule, is a function."""
    table = _table(config_text)
    if table and "optimizer" not in table:
        return OWN_STEP
    tables = [table.get(name) or {} for name in ("optimizer", "schedule")]
    if any(one.get("external") is True or one.get("python") is not None for one in tables):
        return None
    return tables[0].get("name")


def remarked(
    answer: Answer,
    names: Sequence[str],
    axes: Mapping[str, np.ndarray],
    labels: Mapping[str, Sequence[str]],
    method: str | None,
) -> Answer:
    """An answer that says which axes nothing reads."""
    parts = [answer.sentence]
    for name in names:
        values = np.unique(axes[name])
        if name == "lr":
            moving = values[values > 0]
            parts[0] = sentence(float(moving[0]), float(moving[-1]), method)
        else:
            words = [named(labels, name, value) for value in values[:6]]
            shown = [word if isinstance(word, str) else f"{word:g}" for word in words]
            parts.append(remark(name, shown))
    flat = "lr" in names and answer.lr is not None
    verdict = FLAT if flat else answer.verdict
    details = {**answer.details, "unread": list(names)} if names else answer.details
    return answer._replace(verdict=verdict, sentence=" ".join(parts), details=details)


def _table(config_text: str) -> Table:
    try:
        return tomllib.loads(config_text)
    except tomllib.TOMLDecodeError:
        return {}
