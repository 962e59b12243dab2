"""From a table of scores to an answer: learning rate, interval, verdict, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lrlab.search import seed_effects
from lrlab.search.gaps import nothing_known, remarks
from lrlab.search.gaussian_process import unsaturated
from lrlab.search.posterior import Belief, believe, choose
from lrlab.search.scores import Scores, Table, cost, table
from lrlab.types import Answer

INTERIOR, EDGE, FLAT, NOISY, NONE = "interior", "edge", "flat", "noisy", "none"

LOST = 0.15
"""Where the pick's regret may be larger than this in one of ten possible curves, the answer is
noisy: it could be wrong by more than a person would accept."""

UNMEASURED = 0.3
"""The same where no rate had two seeds, so that the spread between seeds is a guess."""

SAME = 0.02
"""Rates whose scores differ by less than this share of what training gains do not matter."""


def from_scores(
    scores: Scores | Sequence[Scores], metric: str, *, extended: bool = False
) -> Answer:
    """The answer that trained lanes hold.

    A Gaussian process in log LR with seed effects and noise (`lrlab.search.gaussian_process`) gives
    the curves of mean score that agree with the lanes. The pick has the least expected regret among
    them, or lies between rates as good; the interval holds the rates that the lanes cannot tell
    from the best (`lrlab.search.posterior.choose`).

    Args:
        scores: one or more training calls.
        metric: its name, for the sentence.
        extended: the range was extended already; then a best at an edge stays there.
    """
    given = [scores] if isinstance(scores, Scores) else list(scores)
    paid, evidence = cost(given), rows(table(given))
    parts = [part for part in map(moving, given) if len(part.lr)]
    if not parts:
        text = "Only learning rate 0 was tried, so there is none to recommend: give rates above 0."
        return Answer(None, None, NONE, text, metric, paid, evidence)
    whole = table(parts)
    stable = seed_effects.largest_stable(whole)
    if reason := nothing_known(parts, metric):
        lost = {"metric_missing": True}
        return Answer(None, None, NONE, reason, metric, paid, evidence, stable, lost)
    if reason := nothing_trains(whole, metric):
        return Answer(None, None, NONE, reason, metric, paid, evidence, stable)
    known = believe(parts)
    place, low, high = choose(known)
    verdict = verdict_of(whole, known, place)
    lr = known.lr
    if verdict == EDGE:
        place = 0 if known.paths[:, 0].mean() < known.paths[:, -1].mean() else len(lr) - 1
    if verdict == FLAT:
        low, high = np.searchsorted(lr, whole.lr[seed_effects.usable(whole)][[0, -1]] * (1 - 1e-9))
    low, high = min(low, place), max(high, place)
    interval = float(lr[low]), float(lr[high])
    pick = float(lr[place])
    details: dict[str, Any] = {
        "noise": known.noise,
        "gap": seed_effects.gap(whole),
        "initial": _known(seed_effects.start(whole) * whole.sign),
        "best_score": float(np.nanmin(seed_effects.mean_scores(whole))) * whole.sign,
        "regret": regret_of(known, place),
        "fit": {"lr": lr, "mean": known.mean * whole.sign},
    }
    if verdict == NOISY:
        details["seeds_needed"] = seeds_needed(whole, known, place)
    pick = pick if verdict == FLAT else _rounded(pick, interval)
    text = sentence(verdict, pick, interval, whole, stable, metric, details, extended)
    text = " ".join([text, *remarks(parts, metric)])
    return Answer(pick, interval, verdict, text, metric, paid, evidence, stable, details)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def moving(part: Scores) -> Scores:
    """The lanes that have a learning rate: one of 0 is a baseline, not a candidate."""
    if (part.lr > 0).all():
        return part
    some = np.asarray(part.lr) > 0
    lanes = ("lr", "seed", "initial", "outcome", "diverged_at", "steps_trained")
    return part._replace(
        metric=np.asarray(part.metric)[:, some],
        **{name: np.asarray(getattr(part, name))[some] for name in lanes},
    )


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
    if not seed_effects.gains(whole):
        start = seed_effects.start(whole) * whole.sign
        some = int(whole.diverged[ran].sum())
        also = f"; {some} of {int(ran.sum())} lanes diverged" if some else ""
        return (
            f"Nothing trains: {metric} stays at {start:.4g} for every learning rate "
            f"from {show(low)} to {show(high)}{also}. Look for a dead gradient (all-zero "
            "activations, a detached loss), labels that do not belong to the inputs, or too few "
            "steps."
        )
    return None


def verdict_of(whole: Table, known: Belief, place: int) -> str:
    """Which kind of answer this is; "none" was settled before."""
    rates = seed_effects.usable(whole)
    lr = whole.lr[rates]
    level = np.interp(np.log10(lr), np.log10(known.lr), known.mean)
    span = np.log10(lr[-1] / lr[0])
    tried = np.log10(whole.lr[-1] / whole.lr[0])
    if span >= max(1.0, 0.6 * tried) and np.ptp(level) <= SAME * seed_effects.gap(whole):
        return FLAT
    most = LOST if known.measured else UNMEASURED
    if len(lr) == 1 or regret_of(known, place) > most or _is_noise(whole):
        return NOISY
    # Of all rates that were tried: those that a rung cut short were worse there.
    if at_edge(known):
        return EDGE
    return INTERIOR


def at_edge(known: Belief) -> bool:
    """Whether the best of the rates that were tried may well be an end of them: one in four of the
    possible curves has its best there (a tenth of a decade counts as there)."""
    best = np.log10(known.lr[known.paths.argmin(1)])
    low, high = np.log10(known.lr[[0, -1]])
    return bool(max((best < low + 0.1).mean(), (best > high - 0.1).mean()) >= 0.25)


def regret_of(known: Belief, place: int) -> float:
    """What the pick's regret (share of the gap) stays below in nine of ten possible curves."""
    return float(unsaturated(np.quantile(known.regret[:, place], 0.9), known.cap))


def _is_noise(whole: Table) -> bool:
    """Whether the rates' differences are no larger than what seeds alone would make.

    One-way analysis of variance over all rates that were trained to the end, those with one seed
    too: a search gives several seeds to the best rates alone, which are alike. Real learning rate
    curves fail this by orders of magnitude.
    """
    rows = whole.score[seed_effects.usable(whole)]
    groups = [row[np.isfinite(row)] for row in rows]
    if len(groups) < 3 or all(np.ptp(group) == 0 for group in groups):
        return False
    pooled = np.concatenate([group - group.mean() for group in groups])
    if pooled.std() == 0:
        return False
    if pooled.std() < 0.05 * seed_effects.gap(whole):
        return False
    return one_way(groups) > 0.01


def one_way(groups: Sequence[np.ndarray]) -> float:
    """The p value of the hypothesis that all groups have one mean (one-way analysis of variance).

    `scipy.stats.f_oneway` without the second that importing `scipy.stats` takes.

    >>> round(one_way([np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 5.0])]), 4)
    0.2746
    """
    from scipy.special import fdtrc

    whole = np.concatenate(groups)
    between = sum(len(group) * (group.mean() - whole.mean()) ** 2 for group in groups)
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    above, below = len(groups) - 1, len(whole) - len(groups)
    return float(fdtrc(above, below, (between / above) / (within / below)))


def seeds_needed(whole: Table, known: Belief, place: int) -> int:
    """Seeds per rate that would bring the doubt about the pick to 2 % of the gap, its error
    shrinking as one over the square root of the seeds."""
    seeds = int(np.isfinite(whole.score).sum(1).max())
    error = max(regret_of(known, place), 1.64 * known.spread / np.sqrt(seeds))
    return int(min(9999, max(seeds + 1, np.ceil(seeds * (error / SAME) ** 2))))


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
    broken = whole.lr[(whole.diverged & (whole.steps_trained > 0)).any(1)]
    if (broken > lr).any():
        end = f" At {show(broken[broken > lr].min())} training diverges for some seed."
    if verdict == INTERIOR:
        range_ = f"anything from {low} to {high} is as good"
        if interval[0] == interval[1]:
            range_ = "no other rate that was tried is as good"
        return f"Train with learning rate {show(lr)}; {range_} ({seeds} seeds).{end}"
    if verdict == FLAT:
        return (
            f"The learning rate does not matter here: anything from {show(whole.lr[0])} to "
            f"{show(whole.lr[-1])} gives {metric} within 2 % of the best, of what training gains; "
            f"take {show(lr)}.{end}"
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
    if seed_effects.usable(whole).sum() == 1:
        return (
            f"One rate alone was trained to the end, {show(lr)}: nothing is known of others. Sweep "
            f"several, or search with a budget of at least 5 full-length runs.{end}"
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
            np.where(whole.steps_trained[i] >= whole.steps, "ok", "pruned"),
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
