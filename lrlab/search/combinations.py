"""Combinations of further lane axes: which lead, and what the answer says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.text import JsonObject
from lrlab.search import seed_effects
from lrlab.search.answer import from_scores
from lrlab.search.budget import Budget
from lrlab.search.differences import coarse
from lrlab.search.joint import Choice, Joint, choice_of, joint_of, steps_between
from lrlab.search.naming import in_words, named
from lrlab.search.posterior import posterior_of
from lrlab.search.promise import promise_of
from lrlab.search.ridge import others_in_words, ridge
from lrlab.search.scores import Scores, as_loss, cost, table
from lrlab.search.settings import DEFAULTS, SearchSettings
from lrlab.search.verdict import EDGE, why_nothing
from lrlab.types import Answer, rate_of

MIN_CORRELATION = 0.7
"""The correlation of an axis with the best learning rate from which on it is mentioned: half of the
variance."""


class AxesSearch(NamedTuple):
    """The search so far: `combinations` [K] tuples of axis values; `parts[k]` the scores of each,
    `calls` the same by training call, side by side. `stages` and `rungs`: what each call trained,
    and what was decided between, for the record."""

    names: tuple[str, ...]
    combinations: list[tuple[float, ...]]
    parts: list[list[Scores]]
    calls: list[Scores]
    budget: Budget
    stages: list[dict[str, float]]
    rungs: list[dict[str, int]]
    settings: SearchSettings
    labels: Mapping[str, Sequence[str]] = {}

    def at(self, combination: int) -> dict[str, float | str]:
        """Axis -> value of a combination; its name where the axis has names."""
        values = zip(self.names, self.combinations[combination], strict=True)
        return {name: named(self.labels, name, value) for name, value in values}

    def left(self) -> float:
        """Full-length runs that may still be spent."""
        return self.budget.left(self.all_parts())

    def all_parts(self) -> list[Scores]:
        """The scores of all combinations."""
        return [part for parts in self.parts for part in parts]


def trains(parts: Sequence[Scores], settings: SearchSettings = DEFAULTS) -> bool:
    """Whether any lane reached the end with some gain."""
    whole = table(parts)
    return bool(seed_effects.usable(whole).any()) and not why_nothing(whole, settings.verdict)


def several_seeds(parts: Sequence[Scores]) -> bool:
    """Whether lanes of more than one seed reached the end."""
    return int(np.isfinite(table(parts).score).any(0).sum()) > 1


def promise(parts: Sequence[Scores], settings: SearchSettings = DEFAULTS) -> float:
    """What a combination may reach: the mean score at its best rate (to be minimized) by the
    posterior; inf where nothing trained to the end."""
    if not trains(parts, settings):
        return float("inf")
    posterior = posterior_of(parts, settings=settings.posterior)
    return float(posterior.mean[int(np.argmin(posterior.expected_regret))])


def leaders(search: AxesSearch, count: int) -> list[int]:
    """The most promising combinations, best first."""
    scores = {k: promise(parts, search.settings) for k, parts in enumerate(search.parts)}
    some = {k: score for k, score in scores.items() if np.isfinite(score)}
    gain = max((seed_effects.gap(table(search.parts[k])) for k in some), default=0.0)
    return ranked(some, gain)[:count]


def ranked(scores: Mapping[int, float], gain: float) -> list[int]:
    """Combinations from the lowest score up; as given where they are tied."""
    keys = list(scores)
    order = np.argsort(coarse(np.array([scores[k] for k in keys]), gain), kind="stable")
    return [keys[place] for place in order]


def look(search: AxesSearch) -> tuple[Joint, Choice] | tuple[None, None]:
    """What the lanes so far leave possible, and which combination is best; None where nothing
    trains."""
    settings = search.settings
    trained = [k for k, parts in enumerate(search.parts) if trains(parts, settings)]
    if not trained:
        return None, None
    steps = steps_between(search.combinations, [name in search.labels for name in search.names])
    joint = joint_of(
        search.calls, search.parts, trained=trained, steps=steps, settings=settings.posterior
    )
    return joint, choice_of(joint, settings.tolerance, goal_of(settings))


def goal_of(settings: SearchSettings) -> float:
    """The probability that what is promised holds with."""
    return settings.confidence or settings.usual_confidence


def answer_of(
    search: AxesSearch, metric: str, joint: Joint | None, choice: Choice | None
) -> Answer:
    """The answer of the best combination, with what the others said."""
    settings, goal = search.settings, goal_of(search.settings)
    answers: list[Answer] = []
    scores: list[float | None] = []
    for k, parts in enumerate(search.parts):
        given, score = None, None
        if joint is not None and choice is not None and k in joint.trained:
            posterior = joint.posteriors[k]
            mine = choice.combination == k
            promise = promise_of(posterior, settings.tolerance, goal)
            given = posterior, choice.promise if mine else promise
            score = float(posterior.mean[int(np.argmin(posterior.expected_regret))])
        answers.append(from_scores(parts, metric, settings=settings, given=given))
        scores.append(score)
    paid, direction = cost(search.all_parts()), search.parts[0][0].direction
    rows = [
        {
            **search.at(k),
            "lr": answer.lr,
            "interval": answer.interval,
            "score": None if score is None else as_loss(score, direction),
            "cost": answer.cost,
        }
        for k, (answer, score) in enumerate(zip(answers, scores, strict=True))
    ]
    details: JsonObject = {"combinations": rows, "correlation": correlations(search, answers)}
    if joint is None or choice is None:
        details |= {"at": {}, "ridge": []}
        return answers[0]._replace(cost=paid, details={**answers[0].details, **details})
    chosen = choice.combination
    best, at = against_all(answers[chosen], joint, chosen, settings), search.at(chosen)
    leading = [leading_rate(parts) for parts in search.parts]
    everywhere = [search.at(k) for k in range(len(answers))]
    details |= {"at": at, "ridge": ridge(everywhere, answers, leading, joint, chosen, settings)}
    text = f"With {in_words(at)}: {best.sentence}"
    own = [_within(joint, k, answer, settings.tolerance) for k, answer in enumerate(answers)]
    text += others_in_words(details["ridge"], chosen, search.names, goal, own)
    text += _tendency(details["correlation"])
    return best._replace(sentence=text, cost=paid, details={**best.details, **details})


def against_all(answer: Answer, joint: Joint, combination: int, settings: SearchSettings) -> Answer:
    """The answer of a combination; what it says of its rate is against the best of all."""
    lr = rate_of(answer)
    if lr is None or not answer.confidence:  # one rate alone, of which nothing is known
        return answer
    regret = joint.regret(combination, place_of(joint, combination, lr))
    most = joint.most(regret, settings.posterior.quantile)
    confidence = joint.share(regret, settings.tolerance)
    return answer._replace(
        # At an edge it is what is not beyond, at most.
        confidence=min(confidence, answer.confidence) if answer.verdict == EDGE else confidence,
        # What the interval is stated at may be coarser.
        resolved=max(answer.resolved or 0.0, joint.most(regret, goal_of(settings))),
        details={**answer.details, "regret": most},
    )


def _within(joint: Joint, combination: int, answer: Answer, tolerance: float) -> float:
    """The probability that the rate of a combination is within the tolerance, against the best of
    all; 0 of one that a rung cut."""
    lr = rate_of(answer)
    if lr is None or combination not in joint.trained:
        return 0.0
    return joint.share(joint.regret(combination, place_of(joint, combination, lr)), tolerance)


def place_of(joint: Joint, combination: int, lr: float) -> int:
    """The place of a combination's grid nearest to a rate."""
    return int(np.argmin(np.abs(np.log(joint.posteriors[combination].lr / lr))))


def correlations(search: AxesSearch, answers: Sequence[Answer]) -> dict[str, float | None]:
    """Axis -> correlation of its values with log10 of the best learning rate there; a combination
    that stopped at a rung counts with the rate that led there. None below three combinations."""
    rates = [
        leading_rate(parts) if answer.lr is None else rate_of(answer)
        for answer, parts in zip(answers, search.parts, strict=True)
    ]
    some = [k for k, rate in enumerate(rates) if rate is not None]
    logs = np.log10([rates[k] or 1.0 for k in some])
    correlation: dict[str, float | None] = {}
    for place, name in enumerate(search.names):
        values = np.array([search.combinations[k][place] for k in some])
        if len(values) and values.min() > 0 and values.max() >= 10 * values.min():
            values = np.log10(values)  # a multiplier, a weight decay: its size, not its distance
        varied = len(some) >= 3 and np.ptp(values) > 0 and np.ptp(logs) > 0
        enough = varied and name not in search.labels
        correlation[name] = float(np.corrcoef(values, logs)[0, 1]) if enough else None
    return correlation


def leading_rate(parts: Sequence[Scores]) -> float | None:
    """The rate with the best metric at the last evaluation that any lane reached; None where no
    lane has a finite one."""
    losses = parts[0].losses
    reached = np.isfinite(losses).any(1)
    if not reached.any():
        return None
    row = losses[int(np.flatnonzero(reached)[-1])]
    return float(parts[0].lr[int(np.nanargmin(row))])


def _tendency(correlation: Mapping[str, float | None]) -> str:
    sentences = [
        f" A larger {name} goes with a {'larger' if value > 0 else 'smaller'} learning rate "
        f"(correlation {value:+.2f})."
        for name, value in correlation.items()
        if value is not None and abs(value) >= MIN_CORRELATION
    ]
    return "".join(sentences)
