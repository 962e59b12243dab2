"""The classic learning-rate table: accuracy over the process and a verdict per rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.records import DIVERGED, NOT_RUN
from lrlab.core.text import counted, number
from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData

LABELS = ("too small", "good", "too large", "diverged")


class Row(NamedTuple):
    """One learning rate. `train` maps a step (updates made) to the mean training accuracy there."""

    lr: float
    train: dict[int, float]
    valid: float
    valid_spread: float  # highest minus lowest seed
    label: str
    reason: str


def table(data: ReportData, at: Sequence[float] = (0.02, 0.1, 0.3, 1.0)) -> list[Row]:
    """A row per learning rate, ascending: how it trained, how it ended, what to call it and why.

    A rate is *diverged* where at least half of its lanes are; *good* where its mean score differs
    from the best mean by at most 2 % of what the best gained over initialization, or by no more
    than twice the standard error of the paired difference over seeds (never beyond 10 %);
    otherwise *too small* below the best rate and *too large* above it.

    Args:
        at: points of the process, as shares of the full length, at which to read the training
            accuracy. A minibatch metric is averaged over the 2 % of the run before the point.

    Raises:
        ValueError: a share in `at` is outside (0, 1].
    """
    if not all(0 < share <= 1 for share in at):
        raise ValueError(f"report: `at` holds shares of the run in (0, 1], got {list(at)}")
    train_name, valid_name = accuracy_names(data)
    metric = valid_name or d.metric_of(data)
    lane = (len(data.lr), -1)
    score = summary.scores(data, metric).reshape(lane)
    start = summary.initial(data, metric).reshape(lane)
    sign = d.sign_of(data, metric)
    means = np.array([_mean(row) for row in sign * score])
    diverged = _diverged_share(data)
    usable = np.where(diverged < 0.5, means, np.nan)
    best = int(np.nanargmin(usable)) if np.isfinite(usable).any() else -1
    rows = []
    for i in np.argsort(data.lr, kind="stable"):
        if (data.record.outcome[i] == NOT_RUN).all():
            continue
        train = {}
        if train_name:
            for share in at:
                step, values = _at(data, train_name, share)
                train[step] = _mean(values[i])
        ended = summary.final(data, valid_name)[i] if valid_name else np.array([])
        ended = ended[np.isfinite(ended)]
        label, reason = _label(data, i, best, sign * score, sign * start, float(diverged[i]))
        spread = float(np.ptp(ended)) if ended.size else float("nan")
        rows.append(Row(float(data.lr[i]), train, _mean(ended), spread, label, reason))
    return rows


def accuracy_names(data: ReportData) -> tuple[str | None, str | None]:
    """(training metric, validation metric) whose names end in accuracy; None where not recorded."""
    evaluated = data.record.evaluated
    names = [*evaluated, *data.record.history]
    train = next((n for n in names if n.startswith("train_") and n.endswith("accuracy")), None)
    valid = next((n for n in evaluated if n == "valid_accuracy"), None)
    return train, valid or next((n for n in evaluated if n == "test_accuracy"), None)


def _mean(values: np.ndarray) -> float:
    seen = np.asarray(values)[np.isfinite(values)]
    return float(seen.mean()) if seen.size else float("nan")


def _diverged_share(data: ReportData) -> np.ndarray:
    cells = data.record.outcome.reshape(len(data.lr), -1)
    return (cells == DIVERGED).sum(1) / np.maximum((cells != NOT_RUN).sum(1), 1)


def _at(data: ReportData, metric: str, share: float) -> tuple[int, np.ndarray]:
    """(step, values [L, ..., S]) of a metric once that share of the run is done."""
    steps, values = d.curve(data, metric)
    full = d.full_steps(data)
    if data.record.metrics[metric].axis == "eval_step":
        nearest = int(np.argmin(np.abs(steps - share * full)))
        return int(steps[nearest]), values[nearest]
    stop = max(int(np.searchsorted(steps, share * full - 0.5)), 1)
    begin = max(stop - max(round(0.02 * len(steps)), 1), 0)
    window = values[begin:stop]
    seen = np.isfinite(window)
    total = np.where(seen, window, 0.0).sum(0)
    return round(share * full), np.where(seen.any(0), total / np.maximum(seen.sum(0), 1), np.nan)


def _label(
    data: ReportData,
    i: int,
    best: int,
    score: np.ndarray,
    start: np.ndarray,
    diverged: float,
) -> tuple[str, str]:
    """`score` and `start` [L, lanes] are oriented so that lower is better."""
    cells = data.record.outcome[i]
    if diverged >= 0.5:
        hit = data.record.diverged_at[i][cells == DIVERGED]
        count = f"{hit.size} of {counted(int(np.count_nonzero(cells != NOT_RUN)), 'lane')}"
        return (
            "diverged",
            f"the loss stopped being finite at step {int(np.median(hit))} ({count})",
        )
    if best < 0:
        return "too small", "no learning rate trained to the end"
    gap = score[i] - score[best]
    gap = gap[np.isfinite(gap)]
    begin = _mean(start[best])
    gain = begin - _mean(score[best])
    mean = _mean(score[i]) - _mean(score[best])
    noise = 2 * float(gap.std(ddof=1)) / np.sqrt(gap.size) if gap.size > 1 else 0.0
    if np.isfinite(gain) and gain > 0:
        allowed, part = (
            max(0.02 * gain, min(noise, 0.1 * gain)),
            f"{mean / gain:.0%} of it",
        )
    else:
        allowed, part = noise, f"{number(mean)}"
    if i == best:
        return "good", "the best mean over seeds"
    if mean <= allowed:
        return (
            "good",
            f"as good as the best ({number(data.lr[best])}) within the noise",
        )
    lost = f"; ends short of the best gain by {part}"
    if data.lr[i] < data.lr[best]:
        return "too small", _small(data, i, best) + lost
    if diverged > 0:
        return "too large", f"{diverged:.0%} of the lanes diverged" + lost
    return "too large", _large(data, i, best) + lost


def _small(data: ReportData, i: int, best: int) -> str:
    fell, reference = _fall(data, i), _fall(data, best)
    if not (np.isfinite(fell) and reference > 0):
        return "too slow"
    words = (
        f"the training loss fell by {max(fell, 0.0) / reference:.1%} of what it fell by at the best"
    )
    return ("barely moves: " if fell < 0.05 * reference else "too slow: ") + words


def _losses(data: ReportData, i: int) -> np.ndarray:
    """The training loss of a rate's lanes, [T, lanes]."""
    steps, values = d.curve(data, "train_loss")
    return values[:, i].reshape(len(steps), -1)


def _fall(data: ReportData, i: int) -> float:
    """Start minus end of the training loss; the end is the mean of a 20th of the run."""
    loss = _losses(data, i)
    return _mean(loss[:1]) - _mean(loss[-max(len(loss) // 20, 1) :])


def _large(data: ReportData, i: int, best: int) -> str:
    loss = _losses(data, i)
    with np.errstate(invalid="ignore"):
        above = np.fmax.reduce(loss, axis=None) if loss.size else np.nan
    rise = above - (_mean(loss[0]) if len(loss) else float("nan"))
    reference = _fall(data, best)
    if np.isfinite(rise) and reference > 0 and rise > reference:
        times = f"{rise / reference:.3g} times what it falls by at the best rate"
        return f"unstable: the loss rises above its start by {times}"
    return "too coarse: the steps are too large to settle"
