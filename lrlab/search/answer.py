"""From scores to an answer: learning rate, interval, verdict, evidence, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lrlab.core import score as scoring
from lrlab.core.text import JsonObject
from lrlab.search import seed_effects
from lrlab.search.gaps import nothing_known, remarks
from lrlab.search.posterior import Posterior, posterior_of
from lrlab.search.promise import Promise, promise_of, stated_promise
from lrlab.search.scores import Scores, Table, as_loss, cost, table
from lrlab.search.sentences import Promised, advice, nothing
from lrlab.search.settings import DEFAULTS, SearchSettings
from lrlab.search.verdict import (
    EDGE,
    FLAT,
    NOISY,
    NONE,
    decide_verdict,
    edge_share,
    flatness,
    seeds_explain,
    seeds_needed,
    why_nothing,
)
from lrlab.types import Answer, Interval


def from_scores(
    scores: Scores | Sequence[Scores],
    metric: str,
    *,
    extended: bool = False,
    settings: SearchSettings = DEFAULTS,
    given: tuple[Posterior, Promise] | None = None,
) -> Answer:
    """The answer that trained lanes hold.

    A Gaussian process in log LR with seed effects and noise (`lrlab.search.gaussian_process`) gives
    the curves of mean score that agree with the lanes. The pick has the least expected regret among
    them, or lies between rates as good; the interval holds the rates that cost at most the
    tolerance (`lrlab.search.promise`); `lrlab.search.verdict` decides what kind of answer it is.

    Args:
        scores: one or more training calls.
        metric: its name, for the sentence.
        extended: the range was extended already; then a best at an edge stays there.
        given: what the lanes leave possible and promise, where more is known than they say.
    """
    calls = [scores] if isinstance(scores, Scores) else list(scores)
    answer, score = _judged(calls, metric, extended, settings, given), calls[0].score
    if score == scoring.LAST:
        return answer
    text = f"{answer.sentence} Judged by {scoring.in_words(score, metric)}."
    return answer._replace(sentence=text, details={**answer.details, "score": score})


def _judged(
    calls: Sequence[Scores],
    metric: str,
    extended: bool,
    settings: SearchSettings,
    given: tuple[Posterior, Promise] | None,
) -> Answer:
    paid, evidence = cost(calls), rows(table(calls))
    parts = [part for part in map(positive_rates, calls) if len(part.lr)]
    if not parts:
        text = "Only learning rate 0 was tried, so there is none to recommend: give rates above 0."
        return Answer(None, None, NONE, text, metric, paid, evidence)
    whole = table(parts)
    stable = seed_effects.largest_stable(whole)
    if text := nothing_known(parts, metric):
        lost = {"metric_missing": True}
        return Answer(None, None, NONE, text, metric, paid, evidence, stable, lost)
    if reason := why_nothing(whole, settings.verdict):
        text = nothing(reason, whole, metric)
        return Answer(
            None, None, NONE, text, metric, paid, evidence, stable, tolerance=settings.tolerance
        )
    goal = settings.confidence or settings.usual_confidence
    if given is None:
        posterior = posterior_of(parts, settings=settings.posterior)
        given = posterior, promise_of(posterior, settings.tolerance, goal)
    posterior, promise = given
    tolerance = settings.tolerance
    sure = posterior.measured and promise.confidence >= goal
    sure &= promise.right >= settings.interval_probability
    verdict = decide_verdict(whole, posterior, promise.pick, tolerance, settings.verdict, sure)
    if verdict != EDGE:  # there the pick, and what is resolved of it, are those of the end
        promise = stated_promise(
            posterior, promise, tolerance, settings.stated_probability, settings.coarsest
        )
    place, low, high, confidence, resolved, right = promise
    lr, curves, end = posterior.lr, posterior.curves, 0
    if verdict == EDGE:
        end = 0 if curves[:, 0].mean() < curves[:, -1].mean() else len(lr) - 1
        # The best may be at the end, and a rate inside be the better guess.
        place = min((end, place), key=lambda one: posterior.expected_regret[one])
        # Where the best is at the end, nothing is known of how much better it gets beyond.
        inside = 1 - edge_share(posterior, tolerance, settings.verdict)
        confidence = min(posterior.probability(place, tolerance), inside)
        resolved = max(resolved, posterior.resolved(place, goal))  # the interval holds that too
    if verdict == FLAT:
        low, high = np.searchsorted(lr, whole.lr[seed_effects.usable(whole)][[0, -1]] * (1 - 1e-9))
        resolved = max(resolved, flatness(whole, posterior))
    low, high = min(low, place), max(high, place)
    alone = seed_effects.usable(whole).sum() == 1
    if alone:  # compared with nothing
        low = high = place
    interval = float(lr[low]), float(lr[high])
    initial = as_loss(seed_effects.mean_initial(whole), whole.direction)
    best = float(np.nanmin(seed_effects.mean_scores(whole)))
    details: JsonObject = {
        "noise": posterior.noise,
        "gap": seed_effects.gap(whole),
        "initial": initial if np.isfinite(initial) else None,
        "best_score": as_loss(best, whole.direction),
        "regret": posterior.resolved(place, posterior.settings.quantile),
        "interval_probability": right,
        "fit": fit_of(posterior, whole, max(settings.tolerance, resolved)),
    }
    if verdict == EDGE:
        details["edge"] = float(lr[end])
    if verdict == NOISY or resolved > settings.tolerance:
        told = resolved
        if verdict == NOISY:  # it speaks of its pick alone, or of everything that seeds differ by
            pick_costs = posterior.resolved(place, max(goal, posterior.settings.quantile))
            explained = seeds_explain(whole, settings.verdict)
            told = max(resolved, pick_costs) if explained else pick_costs
        error = max(told, settings.tolerance)
        details["seeds_needed"] = seeds_needed(whole, error, settings.tolerance)
    pick = float(lr[place]) if verdict == FLAT else _rounded(float(lr[place]), interval)
    promised = Promised(interval, settings.tolerance, resolved, confidence)
    text = advice(verdict, pick, promised, whole, metric, details, extended, settings.verdict)
    text = " ".join([text, *remarks(parts, metric)])
    if alone:
        details["interval_probability"], confidence, resolved = None, 0.0, 1.0
    return Answer(
        pick, interval, verdict, text, metric, paid, evidence, stable, details,
        confidence=confidence, tolerance=settings.tolerance, resolved=resolved,
    )  # fmt: skip


def fit_of(posterior: Posterior, whole: Table, tolerance: float) -> Mapping[str, Any]:
    """The fitted curve for reports: over `lr` f64[G] its `mean`, the band between `low` and `high`
    (90 % of the possible curves), and `limit`, what a rate may come to within the tolerance."""
    direction = whole.direction
    ends = [as_loss(end, direction) for end in posterior.band]
    low, high = ends if direction == "min" else ends[::-1]
    limit = float(posterior.mean.min()) + tolerance * seed_effects.gap(whole)
    return {
        "lr": posterior.lr,
        "mean": as_loss(posterior.mean, direction),
        "low": low,
        "high": high,
        "limit": as_loss(limit, direction) if np.isfinite(limit) else None,
    }


def positive_rates(part: Scores) -> Scores:
    """The lanes that have a learning rate: one of 0 is a baseline, not a candidate."""
    above = np.asarray(part.lr) > 0
    return part if above.all() else part.lanes(above)


def _rounded(lr: float, interval: tuple[float, float]) -> float:
    """Two significant digits, where that stays inside the interval: nobody types more."""
    short = float(f"{lr:.2g}")
    return short if interval[0] <= short <= interval[1] else lr


def rows(whole: Table) -> tuple[Mapping[str, Any], ...]:
    """The evidence: one row per learning rate that was tried."""
    ran, full = whole.steps_trained > 0, whole.steps_trained >= whole.steps
    kinds = np.where(whole.diverged, "diverged", np.where(full, "ok", "pruned"))
    scores = as_loss(whole.score, whole.direction)
    return tuple(
        {
            "lr": float(lr),
            "seeds": whole.seeds[ran[i]].tolist(),
            "scores": [float(v) if np.isfinite(v) else None for v in scores[i][ran[i]]],
            "steps": whole.steps_trained[i][ran[i]].tolist(),
            "outcome": kinds[i][ran[i]].tolist(),
        }
        for i, lr in enumerate(whole.lr)
    )


def listed(interval: Interval | Mapping[str, Interval] | None) -> object:
    """An interval, or one per rate, as JSON has it."""
    if isinstance(interval, Mapping):
        return {name: list(ends) for name, ends in interval.items()}
    return None if interval is None else list(interval)


def answer_json(answer: Answer, run: str | None = None, seconds: float = 0.0) -> JsonObject:
    """The JSON object of `lrlab find`."""
    return {
        "run": run,
        "lr": answer.lr,
        "interval": listed(answer.interval),
        "verdict": answer.verdict,
        "sentence": answer.sentence,
        "confidence": answer.confidence,
        "tolerance": answer.tolerance,
        "resolved": answer.resolved,
        "cost": answer.cost,
        "metric": answer.metric,
        "seconds": seconds,
    }
