"""From a table of scores to an answer: learning rate, interval, verdict, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lrlab.search import fit
from lrlab.search.scores import Scores, Table, cost, table
from lrlab.types import Answer

INTERIOR, EDGE, FLAT, NOISY, NONE = "interior", "edge", "flat", "noisy", "none"

AS_GOOD = 0.01
"""Rates whose mean regret is below this share of the gap are as good as the best..."""
NOT_WORSE = 0.03
"""...and, where seed noise cannot tell them apart, up to this share."""


def from_scores(
    scores: Scores | Sequence[Scores], metric: str, *, extended: bool = False
) -> Answer:
    """The answer that trained lanes hold.

    The pick minimizes a Gaussian process fit of the mean score in log LR. The interval holds the
    rates whose fitted regret stays below 1 % of what training gains, or below 3 % where the noise
    between seeds cannot tell them from the best.

    Args:
        scores: one or more training calls.
        metric: its name, for the sentence.
        extended: the range was extended already; then a best at an edge stays there.
    """
    parts = [scores] if isinstance(scores, Scores) else list(scores)
    whole = table(parts)
    paid = cost(parts)
    evidence = rows(whole)
    stable = fit.largest_stable(whole)
    if reason := nothing_trains(whole, metric):
        return Answer(None, None, NONE, reason, metric, paid, evidence, stable)
    shape = fit.curve(whole)
    # Between rates of the same promise the one that is known better is the one to recommend.
    best = int(np.argmin(shape.mean + 0.5 * shape.error))
    regret = (shape.mean - shape.mean[best]) / max(fit.gap(whole), 1e-300)
    error = np.hypot(shape.error, shape.error[best]) / max(fit.gap(whole), 1e-300)
    allowed = np.clip(1.64 * error, AS_GOOD, NOT_WORSE)
    low, high = _around(regret <= allowed, best)
    pick, interval = float(shape.lr[best]), (float(shape.lr[low]), float(shape.lr[high]))
    verdict = verdict_of(whole, shape, best, interval)
    details: dict[str, Any] = {
        "noise": shape.noise,
        "gap": fit.gap(whole),
        "initial": fit.start(whole) * whole.sign,
        "best_score": float(np.nanmin(fit.mean_scores(whole))) * whole.sign,
        "fit": {"lr": shape.lr, "mean": shape.mean * whole.sign},
    }
    if verdict == NOISY:
        details["seeds_needed"] = seeds_needed(whole, shape)
    pick = pick if verdict == FLAT else _rounded(pick, interval)
    text = sentence(verdict, pick, interval, whole, stable, metric, details, extended)
    return Answer(pick, interval, verdict, text, metric, paid, evidence, stable, details)


def nothing_trains(whole: Table, metric: str) -> str | None:
    """Why no learning rate is to be recommended, in a sentence; None where one trains."""
    ran = whole.steps_trained > 0
    scores = whole.score[np.isfinite(whole.score)]
    low, high = whole.lr[0], whole.lr[-1]
    if not scores.size or not ran.any():
        return "No learning rate was trained to the end, so there is nothing to recommend."
    if whole.diverged[ran].all():
        first = int(np.median(whole.diverged_at[ran & whole.diverged]))
        return (
            f"Nothing trains: every learning rate from {show(low)} to {show(high)} diverged, half "
            f"of them by step {first}. Try far smaller rates, clip the gradient "
            "(optimizer.clip_norm), or check the loss and the scale of the inputs."
        )
    start = fit.start(whole)
    gain = start - float(np.nanmin(fit.mean_scores(whole)))
    if np.isfinite(start) and gain <= 1e-3 * max(abs(start), 1e-12):
        some = int(whole.diverged[ran].sum())
        also = f"; {some} of {int(ran.sum())} lanes diverged" if some else ""
        return (
            f"Nothing trains: {metric} stays at {show(start * whole.sign)} for every learning rate "
            f"from {show(low)} to {show(high)}{also}. Look for a dead gradient (all-zero "
            "activations, a detached loss), labels that do not belong to the inputs, or too few "
            "steps."
        )
    return None


def verdict_of(whole: Table, shape: fit.Curve, best: int, interval: tuple[float, float]) -> str:
    """Which kind of answer this is; "none" was settled before."""
    rates = fit.usable(whole)
    lr, level = whole.lr[rates], fit.mean_scores(whole)[rates]
    span = np.log10(lr[-1] / lr[0]) if len(lr) > 1 else 0.0
    gain = fit.gap(whole)
    tried = np.log10(whole.lr[-1] / whole.lr[0]) if len(whole.lr) > 1 else 0.0
    if span >= max(1.0, 0.6 * tried) and np.ptp(level) <= 0.02 * gain:
        return FLAT
    if shape.noise > 0 and _is_noise(whole):
        return NOISY
    # Of all rates that were tried: those that a rung cut short were worse there.
    first, last = whole.lr[0] * 1.001, whole.lr[-1] / 1.001
    if len(lr) > 1 and not first < shape.lr[best] < last:
        return EDGE
    return INTERIOR


def _is_noise(whole: Table) -> bool:
    """Whether the rates' differences are no larger than what seeds alone would make.

    One-way analysis of variance over rates with several seeds, all rates included: real learning
    rate curves fail this by orders of magnitude.
    """
    from scipy import stats

    groups = [row[np.isfinite(row)] for row in whole.score]
    groups = [group for group in groups if len(group) > 1]
    if len(groups) < 3 or all(np.ptp(group) == 0 for group in groups):
        return False
    pooled = np.concatenate([group - group.mean() for group in groups])
    if pooled.std() == 0:
        return False
    if pooled.std() < 0.05 * fit.gap(whole):
        return False
    return bool(stats.f_oneway(*groups).pvalue > 0.01)


def seeds_needed(whole: Table, shape: fit.Curve) -> int:
    """Seeds per rate that would bring the standard error to 2 % of the gap."""
    wanted = 0.02 * max(fit.gap(whole), 1e-300)
    return int(min(9999, max(2, np.ceil((shape.noise / wanted) ** 2))))


def _around(good: np.ndarray, place: int) -> tuple[int, int]:
    """The ends of the run of True that holds `place`."""
    low = high = place
    while low > 0 and good[low - 1]:
        low -= 1
    while high < len(good) - 1 and good[high + 1]:
        high += 1
    return low, high


def _rounded(lr: float, interval: tuple[float, float]) -> float:
    """Two significant digits, where that stays inside the interval: nobody types more."""
    short = float(f"{lr:.2g}")
    return short if interval[0] <= short <= interval[1] else lr


def sentence(
    verdict: str,
    lr: float,
    interval: tuple[float, float],
    whole: Table,
    stable: float | None,
    metric: str,
    details: Mapping[str, Any],
    extended: bool,
) -> str:
    """What a person should do."""
    seeds = int(np.isfinite(whole.score).sum(1).max())
    low, high = show(interval[0]), show(interval[1])
    end = ""
    if stable is not None and stable >= lr:
        broken = whole.lr[(whole.diverged & (whole.steps_trained > 0)).any(1)].min()
        end = f" From {show(broken)} on, training diverges for some seed."
    if verdict == INTERIOR:
        range_ = f"anything from {low} to {high} is as good"
        if interval[0] == interval[1]:
            range_ = "no other rate that was tried is as good"
        if len(whole.lr) == 1:
            range_ = "no other rate was tried"
        return f"Train with learning rate {show(lr)}; {range_} ({seeds} seeds).{end}"
    if verdict == FLAT:
        return (
            f"The learning rate does not matter here: anything from {show(whole.lr[0])} to "
            f"{show(whole.lr[-1])} gives {metric} within 2 % of the best; take {show(lr)}.{end}"
        )
    if verdict == EDGE:
        at_low = lr <= whole.lr[0] * 1.5
        side, to, field = (
            ("smallest", "Lower", "lr_range[0]") if at_low else ("largest", "Raise", "lr_range[1]")
        )
        after = ", although the range was extended" if extended else ""
        return (
            f"The best rate tried, {show(lr)}, is the {side} one{after}: the true best may lie "
            f"beyond. {to} that end of the range ({field}, or lr), or train longer.{end}"
        )
    return (
        f"Noise hides the answer: {metric} differs between seeds as much as between learning "
        f"rates. {show(lr)} is the best guess; about {details['seeds_needed']} seeds per rate "
        f"would settle it.{end}"
    )


def rows(whole: Table) -> tuple[Mapping[str, Any], ...]:
    """The evidence: one row per learning rate that was tried."""
    found = []
    for i, lr in enumerate(whole.lr):
        ran = whole.steps_trained[i] > 0
        kinds = np.where(
            whole.diverged[i],
            "diverged",
            np.where(np.isfinite(whole.score[i]), "ok", "pruned"),
        )
        found.append(
            {
                "lr": float(lr),
                "seeds": whole.seeds[ran].tolist(),
                "scores": [
                    float(v) * whole.sign if np.isfinite(v) else None for v in whole.score[i][ran]
                ],
                "steps": whole.steps_trained[i][ran].tolist(),
                "outcome": kinds[ran].tolist(),
            }
        )
    return tuple(found)


def answer_json(answer: Answer, run: str | None = None, seconds: float = 0.0) -> dict[str, Any]:
    """The JSON object of `lrlab find`."""
    return {
        "run": run,
        "lr": answer.lr,
        "interval": None if answer.interval is None else list(answer.interval),
        "verdict": answer.verdict,
        "sentence": answer.sentence,
        "cost": answer.cost,
        "metric": answer.metric,
        "seconds": seconds,
    }


def show(value: float) -> str:
    """A learning rate as a person writes it.

    >>> show(0.031622), show(1e-05), show(3.0)
    ('0.032', '1e-05', '3')
    """
    return f"{value:.2g}"
