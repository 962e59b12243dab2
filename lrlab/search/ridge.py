"""The ridge: the best rate at each value of the further axes, and what that value costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lrlab.core.text import JsonObject, percent
from lrlab.search.answer import listed
from lrlab.search.gaussian_process import unsaturated
from lrlab.search.joint import Joint
from lrlab.search.naming import in_words
from lrlab.search.settings import DEFAULTS, SearchSettings
from lrlab.search.verdict import FLAT, INTERIOR
from lrlab.types import Answer, rate_of

NAMED = 3
"""Combinations of several axes that a sentence names, at most."""

At = Mapping[str, float | str]
"""Axis -> value of a combination."""


def ridge(
    combinations: Sequence[At],
    answers: Sequence[Answer],
    leading: Sequence[float | None],
    joint: Joint,
    chosen: int,
    settings: SearchSettings = DEFAULTS,
) -> list[JsonObject]:
    """A row for each combination, in their order.

    Each holds the axes' values; `lr`, the best rate there; `interval` [low, high] of the rates that
    cost at most the tolerance against it, None where the lanes do not tell that much (the chosen
    one has the answer's, where its verdict is "interior" or "flat"); `regret`, what its best rate
    is expected to cost (share of the gap); `within`, the probability that this is at most the
    tolerance. The last two are against the best of all combinations, and None for one that a rung
    cut: what a beginning says of the end is too little.

    Args:
        answers: what each said by itself.
        leading: the rate that led where a combination was cut.
        chosen: the combination of the answer.
    """
    rows = []
    for k, (at, answer) in enumerate(zip(combinations, answers, strict=True)):
        resolved = answer.resolved or 0.0
        stated = k in joint.trained and answer.verdict in (INTERIOR, FLAT)
        stated &= k == chosen or resolved <= settings.tolerance
        row: JsonObject = {
            **at,
            "lr": leading[k] if answer.lr is None else rate_of(answer),
            "interval": listed(answer.interval) if stated else None,
            "regret": None,
            "within": None,
        }
        if k in joint.trained:
            least = joint.best_of(k)
            row["regret"] = float(np.mean(unsaturated(least, joint.cap)))
            row["within"] = joint.share(least, settings.tolerance)
        rows.append(row)
    return rows


def others_in_words(
    rows: Sequence[JsonObject],
    chosen: int,
    names: Sequence[str],
    goal: float,
    own: Sequence[float],
) -> str:
    """What a sentence says of the combinations that were not chosen: which are as good, that is
    within the tolerance with probability `goal` at the rate that is named for them; else of the
    next best.

    Args:
        own: the probability that the `lr` of each is within the tolerance, against the best of all.

    >>> probabilities = (0.2, 1.0, 0.95)
    >>> rows = [{"wd": w, "within": p, "regret": 0.0}
    ...         for w, p in zip((0.0, 0.1, 1.0), probabilities)]
    >>> others_in_words(rows, 1, ["wd"], 0.9, probabilities)
    ' wd 0.1 and 1 are as good, each at its own rate.'
    """
    known = [k for k, row in enumerate(rows) if row["within"] is not None and k != chosen]
    if not known:
        return ""
    good = [k for k in known if own[k] >= goal]
    if good:
        words = _several(rows, sorted([chosen, *good]), names)
        return f" {words} are as good, each at its own rate."
    likely = max(known, key=lambda k: (rows[k]["within"], -rows[k]["regret"]))
    within, words = rows[likely]["within"], in_words({name: rows[likely][name] for name in names})
    if within > 1 - goal:
        return f" {words} may be as good ({percent(within)} sure)."
    return f" Next: {words}, which costs {percent(rows[likely]['regret'])} more at its best rate."


def _several(rows: Sequence[JsonObject], good: Sequence[int], names: Sequence[str]) -> str:
    """Combinations in words: a range of one axis where all of its values that were tried in it are
    among them."""
    if len(names) > 1:
        words = [in_words({name: rows[k][name] for name in names}) for k in good]
        more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
        return "; ".join(words[:NAMED]) + more
    (name,) = names
    values = [rows[k][name] for k in good]
    if len(values) > 2 and all(not isinstance(value, str) for value in values):
        low, high = min(values), max(values)
        if sum(low <= row[name] <= high for row in rows) == len(values):
            return f"{name} {low:g} to {high:g}"
    shown = [
        value if isinstance(value, str) else f"{value:g}" for value in sorted(values, key=_key)
    ]
    return f"{name} {', '.join(shown[:-1])} and {shown[-1]}"


def _key(value: float | str) -> tuple[bool, float | str]:
    """Numbers in order, then names."""
    return isinstance(value, str), value
