"""What of a lane's evaluations counts: the last, the best, or the mean of the last few."""

from __future__ import annotations

import re

import numpy as np

LAST, BEST = "last", "best"
"""Scores without a number; the third kind is `mean:k`."""

_MEAN = re.compile(r"mean:([1-9][0-9]{0,8})")


def checked(score: object) -> str:
    """A score as it is written: "last", "best" or "mean:k".

    Raises:
        ValueError: anything else.

    >>> checked("mean:5")
    'mean:5'
    """
    if isinstance(score, str) and (score in (LAST, BEST) or _MEAN.fullmatch(score)):
        return score
    raise ValueError(
        'must be "last" (the last evaluation), "best" (the best of the run) or "mean:k" (the mean '
        f'of the last k evaluations, k at least 1, for example "mean:5"), got {score!r}'
    )


def last_evaluations(score: str) -> int | None:
    """How many of the last evaluations are averaged; None for "last" and "best".

    Raises:
        ValueError: no score.

    >>> last_evaluations("mean:5"), last_evaluations("best")
    (5, None)
    """
    try:
        match = _MEAN.fullmatch(checked(score))
    except ValueError as error:
        raise ValueError(f"score {error}") from None
    return None if match is None else int(match[1])


def in_words(score: str, metric: str) -> str:
    """What a number of this score is.

    >>> in_words("last", "valid_loss"), in_words("best", "valid_loss")
    ('valid_loss', 'best valid_loss over the run')
    >>> in_words("mean:5", "valid_loss")
    'valid_loss averaged over the last 5 evaluations'
    """
    if score == BEST:
        return f"best {metric} over the run"
    count = last_evaluations(score)
    if count is None:
        return metric
    what = "update" if metric.startswith("train_") else "evaluation"
    many = f"the last {count} {what}s" if count > 1 else f"the last {what}"
    return f"{metric} averaged over {many}"


def running(values: np.ndarray, score: str, direction: str) -> np.ndarray:
    """The score of the history up to each evaluation, f64[E, ...] from values [E, ...].

    "best" passes over values that are not finite, and is nan before the first finite one; a mean of
    the last k is taken of as many as there are, and is not finite where one of them is not.

    >>> curve = np.array([3.0, 1.0, 2.0])
    >>> [running(curve, score, "min").tolist() for score in ("last", "best", "mean:2")]
    [[3.0, 1.0, 2.0], [3.0, 1.0, 1.0], [3.0, 2.0, 1.5]]
    """
    values = np.asarray(values, np.float64)
    if score == BEST:
        better = np.fmin if direction == "min" else np.fmax
        return better.accumulate(np.where(np.isfinite(values), values, np.nan), 0)
    count = last_evaluations(score)
    if count is None:
        return values
    with np.errstate(invalid="ignore"):  # infinite ones of both signs have no mean
        rows = [values[max(0, end - count) : end].mean(0) for end in range(1, len(values) + 1)]
    return np.stack(rows) if rows else values
