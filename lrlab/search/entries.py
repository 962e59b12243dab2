"""The entries of a comparison: each setting's scores at its own best rate, and how they count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from lrlab.core.brief import fields_of
from lrlab.core.records import Direction
from lrlab.core.scale import GAIN, LOG
from lrlab.core.text import JsonObject
from lrlab.search import statistics
from lrlab.search.naming import in_words
from lrlab.search.scores import as_loss
from lrlab.types import Answer, rate_of

HALF_DECADE = float(np.sqrt(10.0))
"""The sensitivity looks at rates from the pick / this to the pick * this, one decade in all, as
Wortsman et al. 2023 do per decade."""


BEHIND = {GAIN: "behind the best by", LOG: "behind by a factor of"}
"""What a column of `behind` is called."""


class Row(NamedTuple):
    """One setting at its own best rate; `scores` by seed (the metric's own sign), their `mean` (the
    geometric one in the log of the loss); `probability` that its mean over all seeds is the best
    one, nan where fewer than two seeds are shared."""

    name: str
    answer: Answer
    scores: dict[int, float]
    mean: float
    sensitivity: float  # nan where too few rates were trained to the end
    probability: float = float("nan")

    @property
    def title(self) -> str:
        """The name, with the further values that its search chose."""
        at = self.answer.details.get("at")
        return f"{self.name} with {in_words(at)}" if at else self.name

    def __repr__(self) -> str:
        return fields_of(self)


def scale_of(answers: Iterable[Answer]) -> str:
    """How differences between the entries count: in the log of the loss where all were searched so,
    else in the loss; those of which nothing trains do not matter."""
    scales = {a.details.get("scale", GAIN) for a in answers if a.lr is not None}
    return LOG if scales == {LOG} else GAIN


def loss(score: float, direction: str, scale: str) -> float:
    """A score as something to minimize, of which differences are taken.

    >>> loss(0.9, "max", "gain"), round(loss(np.e, "min", "log"), 9)
    (-0.9, 1.0)
    """
    if scale != LOG:
        return as_loss(score, direction)
    return float(np.log(score)) if score > 0 else float("nan")


def score_of(value: float, direction: str, scale: str) -> float:
    """The score again, of what `loss` gave."""
    return float(np.exp(value)) if scale == LOG else as_loss(value, direction)


def behind(difference: tuple[float, float] | list[float], scale: str) -> tuple[float, float]:
    """How far an entry is behind the best, at least and at most, from the interval of the best
    minus it; as a factor in the log of the loss.

    >>> behind((-2.0, -1.0), "gain")
    (1.0, 2.0)
    """
    low, high = -difference[1], -difference[0]
    if scale != LOG:
        return low, high
    with np.errstate(over="ignore"):
        return float(np.exp(low)), float(np.exp(high))


def gain_of(row: Row, scale: str) -> float:
    """What training gains there, in the scale; 0 where the start is not known."""
    initial = row.answer.details.get("initial")
    if initial is None:
        return 0.0
    gain = abs(loss(float(initial), "min", scale) - loss(row.mean, "min", scale))
    return gain if np.isfinite(gain) else 0.0


def row_of(name: str, answer: Answer, direction: Direction, scale: str) -> Row:
    """An entry from its answer and the scores in its evidence."""
    final = answer.details.get("final") or _nearest(answer)
    scores = dict(zip(final["seeds"], final["scores"], strict=True))
    losses = [loss(score, direction, scale) for score in scores.values()]
    mean = score_of(float(np.mean(losses)), direction, scale) if losses else float("nan")
    return Row(name, answer, scores, mean, _sensitivity(answer, direction))


def _nearest(answer: Answer) -> JsonObject:
    """Seeds and scores at the tried rate nearest to the pick; of the nearer two, the one with more
    seeds, since the pick may lie between tried rates."""
    rows = [row for row in answer.evidence if any(s is not None for s in row["scores"])]
    if answer.lr is None or not rows:
        return {"seeds": [], "scores": []}
    near = sorted(rows, key=lambda row: abs(np.log(row["lr"] / answer.lr)))[:2]
    best = max(near, key=lambda row: sum(s is not None for s in row["scores"]))
    pairs = list(zip(best["seeds"], best["scores"], strict=True))
    return {
        "seeds": [seed for seed, score in pairs if score is not None],
        "scores": [score for _, score in pairs if score is not None],
    }


def _sensitivity(answer: Answer, direction: Direction) -> float:
    """How much worse training is, in the mean, with a rate up to half a decade off the pick: the
    sensitivity of Wortsman et al. 2023 on the fitted curve, over one decade around the pick."""
    fit, initial = answer.details.get("fit"), answer.details.get("initial")
    pick = rate_of(answer)
    if pick is None or fit is None or initial is None:
        return float("nan")
    lr = np.asarray(fit["lr"], np.float64)
    low = max(float(lr.min()), pick / HALF_DECADE)
    high = min(float(lr.max()), pick * HALF_DECADE)
    if not low < high:
        return float("nan")
    score = as_loss(np.asarray(fit["mean"], np.float64), direction)
    start = as_loss(float(initial), direction)
    return statistics.learning_rate_sensitivity(lr, score, start, low, high)
