"""What a study's groups say together: the law of the best rate, what transfer costs, a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lrlab.config.groups import show_value
from lrlab.core.brief import fields_of
from lrlab.core.scale import GAIN, LOG
from lrlab.core.text import Table
from lrlab.scaling.best_rate import BestRate, best_rate
from lrlab.search.statistics import PowerLaw, power_law
from lrlab.types import Answer, interval_of, rate_of

SAME = 2.0
"""A best rate that changes by less than this factor over the values of the axis is called the same,
where its interval allows no more than the factor's square."""

LABELS = {"standard": "the standard parametrization", "mup": "muP"}

TRUST = 4.0
"""Degrees of freedom that the standard errors of best rates are worth in a law: so many points'
scatter about the line weigh as much as they (`experiments/calibration.py`)."""


class Group(NamedTuple):
    """One value of the axis, trained at many learning rates.

    `lr`, `interval`, `verdict`, `sentence`, `cost` as in `Answer`; `rates` f64[L] ascending and
    `means` f64[L], the mean score over seeds (a diverged lane counts as its initial value; nan:
    pruned before the end; with `scale` "log" the geometric mean); `initial`: the metric before
    training; `run`: its folder; `best`: the rate of the best mean score with its standard error,
    None where too few lanes say; `direction`: of the metric, None where the answer does not say.
    """

    value: Any
    parametrization: str
    lr: float | None
    interval: tuple[float, float] | None
    verdict: str
    sentence: str
    rates: np.ndarray
    means: np.ndarray
    initial: float
    cost: float
    run: str | None = None
    best: BestRate | None = None
    scale: str = GAIN
    direction: str | None = None

    def __repr__(self) -> str:
        return fields_of(self)

    @property
    def name(self) -> str:
        """For people: the value as written."""
        return show_value(self.value)

    @property
    def place(self) -> int | None:
        """The place of the best mean score; None without one."""
        return best_place(self.means, self.initial, self.direction)


def best_place(means: np.ndarray, initial: float, direction: str | None) -> int | None:
    """The place of the best mean score. Without a direction it is the farthest from the start, as
    no lane counts for worse than it started.

    >>> best_place(np.array([2.0, np.nan, 0.5]), 2.0, None)
    2
    """
    if not np.isfinite(means).any():
        return None
    if direction is None:
        return int(np.nanargmax(np.abs(means - initial)))
    return int(np.nanargmin(means) if direction == "min" else np.nanargmax(means))


class Law(NamedTuple):
    """The best rate over the axis in one parametrization.

    `fit` is None where fewer than two values can be used; `used`, `left_out` are values (the latter
    with the reason); `trend`: "falls", "grows", "same" or "unclear"; `factor`: rate at the largest
    value over rate at the smallest, by the law, with its interval.
    """

    parametrization: str
    fit: PowerLaw | None
    used: tuple[float, ...]
    left_out: tuple[tuple[object, str], ...]
    trend: str


class Transfer(NamedTuple):
    """What the base's best rate costs elsewhere: `regret` maps each other value to the share of
    that group's gain (initial minus best) that is lost, None where the rate was not tried there."""

    parametrization: str
    base: object
    lr: float | None
    regret: tuple[tuple[object, float | None], ...]


def group_of(
    value: object, parametrization: str, answer: Answer, initial: float, scale: str = GAIN
) -> Group:
    """A group from the answer of its sweep or search; `scale` as in `lrlab.core.scale`."""
    rows = sorted(answer.evidence, key=lambda row: row["lr"])
    scores = _table(rows)
    start = initial
    if scale == LOG:
        scores, start = np.log(scores), float(np.log(initial))
    seen = np.isfinite(scores).any(1)
    means = np.full(len(rows), np.nan)
    means[seen] = np.nanmean(scores[seen], 1)
    rates = np.array([row["lr"] for row in rows], np.float64)
    cut = np.array(["pruned" in row.get("outcome", ()) for row in rows], bool)
    direction, best = answer.details.get("direction"), None
    place, ends = best_place(means, start, direction), interval_of(answer)
    if place is not None and (rates > 0).all():
        sign = -1.0 if means[place] > start else 1.0
        best = best_rate(rates, sign * scores, sign * start, cut)
    return Group(
        value, parametrization, rate_of(answer), None if ends is None else (ends[0], ends[1]),
        answer.verdict, answer.sentence, rates, np.exp(means) if scale == LOG else means,
        initial, answer.cost, answer.run, best, scale, direction,
    )  # fmt: skip


def _table(rows: Sequence[Table]) -> np.ndarray:
    """The scores of an answer's evidence, f64[L, S]: a column per seed, nan where there is none."""
    seeds = sorted({seed for row in rows for seed in row["seeds"]})
    scores = np.full((len(rows), len(seeds)), np.nan)
    for place, row in enumerate(rows):
        scores[place, np.searchsorted(seeds, row["seeds"])] = _numbers(row["scores"])
    return scores


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], np.float64)


def law_of(groups: Sequence[Group]) -> Law:
    """The power law rate = c value^a through the groups of one parametrization.

    The rates are those of the least mean score, with their standard errors (`best_rate`), which
    count as `TRUST` degrees of freedom (`statistics.power_law`). Where the lanes do not tell a best
    rate, the recommended one stands for it, its interval (at least half the distance between rates
    tried) for a 95 % range. Groups without a best rate inside the tried ones are left out.
    """
    used, left = [], []
    for group in groups:
        reason = _unusable(group)
        if reason:
            left.append((group.value, reason))
        else:
            used.append(group)
    kind = groups[0].parametrization if groups else "standard"
    values = tuple(float(group.value) for group in used)
    if len(set(values)) < 2:
        return Law(kind, None, values, tuple(left), "unclear")
    rates = [_best(group) for group in used]
    fit = power_law(
        values, np.exp([rate.log for rate in rates]), errors=[r.error for r in rates], freedom=TRUST
    )
    return Law(kind, fit, values, tuple(left), trend_of(fit, max(values) / min(values)))


def _best(group: Group) -> BestRate:
    """The best rate of a group that can be used, with the standard deviation of its logarithm."""
    if group.best is not None:
        return group.best
    low, high = group.interval or (1.0, 1.0)
    between = np.diff(np.log(group.rates))
    half = max(float(np.log(high / low)) / 2, float(between.min()) / 2)
    return BestRate(float(np.log(group.lr or np.nan)), half / 1.96)


def _unusable(group: Group) -> str:
    number = isinstance(group.value, (int, float)) and not isinstance(group.value, bool)
    if not number or group.value <= 0:
        return "is no positive number"
    if group.lr is None:
        return "nothing trains"
    # Rates that were cut short are tried ones too: they were behind.
    if group.verdict == "edge" or group.place in (None, 0, len(group.means) - 1):
        return "the best rate tried is at the edge"
    if group.verdict == "flat":
        return "the rate does not matter"
    return ""


def trend_of(fit: PowerLaw, span: float) -> str:
    """What an exponent's interval says over values that span a factor.

    >>> from lrlab.search.statistics import Interval
    >>> law = lambda low, high: PowerLaw(1.0, Interval((low + high) / 2, low, high))
    >>> trend_of(law(-1.1, -0.9), 16.0), trend_of(law(-0.2, 0.3), 16.0)
    ('falls', 'same')
    >>> trend_of(law(-0.9, 0.1), 16.0), trend_of(law(0.01, 0.03), 16.0)
    ('unclear', 'same')
    """
    value, low, high = fit.exponent
    octave, widest = np.log(SAME) / np.log(span), max(abs(low), abs(high))
    if widest <= octave or (low <= 0 <= high and abs(value) <= octave and widest <= 2 * octave):
        return "same"
    if high < 0:
        return "falls"
    return "grows" if low > 0 else "unclear"


def transfer_of(groups: Sequence[Group], base: object) -> Transfer:
    """What it costs to train every other group with the base group's best rate."""
    kind = groups[0].parametrization if groups else "standard"
    lr = next((group.lr for group in groups if group.value == base), None)
    regrets = tuple(
        (group.value, None if lr is None else regret_at(group, lr))
        for group in groups
        if group.value != base
    )
    return Transfer(kind, base, lr, regrets)


def regret_at(group: Group, lr: float) -> float | None:
    """(score at `lr` - best score) / (initial - best score), of the logarithms where the group's
    scale is "log"; the score between rates is linear in log LR. None outside the rates that were
    trained to the end."""
    seen = np.isfinite(group.means)
    rates, means, initial = group.rates[seen], group.means[seen], group.initial
    if len(rates) < 2 or not rates[0] * 0.999 <= lr <= rates[-1] * 1.001:
        return None
    if group.scale == LOG:
        means, initial = np.log(means), float(np.log(initial))
    score = float(np.interp(np.log(lr), np.log(rates), means))
    best = float(means[best_place(means, initial, group.direction) or 0])
    gain = initial - best
    return None if gain == 0 or not np.isfinite(gain) else max(0.0, (score - best) / gain)


def sentence_of(axis: str, laws: Sequence[Law], transfers: Sequence[Transfer]) -> str:
    """The answer: does the best rate change with the axis, how sure is that, what transfers."""
    parts = [f"Should the learning rate change with {axis.replace('_', ' ')}?"]
    several = len(laws) > 1
    for law, transfer in zip(laws, transfers, strict=True):
        lead = (
            f"In {LABELS[law.parametrization]}: " if several or law.parametrization == "mup" else ""
        )
        text = f"{lead}{_trend_words(axis, law)}{_transfer_words(axis, transfer)}"
        parts.append(text[0].upper() + text[1:])
    return " ".join(parts)


def _trend_words(axis: str, law: Law) -> str:
    name = axis.replace("_", " ")
    left = ""
    if law.left_out:
        reasons: dict[str, list[str]] = {}
        for value, reason in law.left_out:
            reasons.setdefault(reason, []).append(show_value(value))
        listed = "; ".join(f"{', '.join(values)}: {reason}" for reason, values in reasons.items())
        left = f" (Left out: {listed}.)"
    if law.fit is None:
        return f"it cannot be determined; fewer than two values of {name} have a best rate.{left}"
    low, high = min(law.used), max(law.used)
    at_low, at_high = (law.fit.coefficient * v**law.fit.exponent.value for v in (low, high))
    exponent = law.fit.exponent
    power = (
        f"{axis}^{exponent.value:.2f} (95 % interval {exponent.low:.2f} to {exponent.high:.2f}), "
        f"from {at_low:.2g} at {show_value(low)} to {at_high:.2g} at {show_value(high)}"
    )
    words = {
        "falls": f"yes, smaller: the best rate goes as {power}",
        "grows": f"yes, larger: the best rate goes as {power}",
        "same": f"no: the best rate stays within a factor of {SAME:g}, as {power}",
        "unclear": f"it cannot be determined from these runs: the best rate goes as {power}",
    }
    return f"{words[law.trend]}.{left}"


def _transfer_words(axis: str, transfer: Transfer) -> str:
    measured = [(value, regret) for value, regret in transfer.regret if regret is not None]
    if not measured or transfer.lr is None:
        return ""
    name = axis.replace("_", " ")
    value, worst = max(measured, key=lambda pair: pair[1])
    return (
        f" The best rate of {name} {show_value(transfer.base)}, {transfer.lr:.2g}, loses at most "
        f"{show_share(worst)} of what training gains elsewhere (at {name} {show_value(value)})."
    )


def show_share(share: float) -> str:
    """A share as a person writes it.

    >>> show_share(0.0004), show_share(0.034), show_share(0.5), show_share(3.0)
    ('0.1 %', '3.4 %', '50 %', '300 %')
    """
    share = max(share, 0.001)  # the sentence says "at most"
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
