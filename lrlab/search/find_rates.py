"""Several learning rates at once, one per parameter group (or per optimizer of a step task).

Two or three rates are a plane or a space, and a budget of some dozens of full-length runs does not
fill it. So the rates are searched where training is sensitive, in two parts:

1. All rates together, as one scale, for several ratios between them: each ratio is a combination of
   `lrlab.search.find_axes`, so that those that fall behind stop early. This gives a point.
2. Each rate by itself around that point, the others held: `lrlab.search.find`, on seeds of its own.
   Its pick takes the place of the point's rate, and its interval is the interval of that rate.

An interval of one rate is conditional: it holds with the other rates where they were held. It says
nothing of moving two rates at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lrlab.core.axes import RATE_PREFIX
from lrlab.core.text import percent
from lrlab.core.tolerance import level_of
from lrlab.search.find import Decide, Train, find
from lrlab.search.find_axes import find_axes
from lrlab.search.naming import in_words
from lrlab.search.ratios import Rates, ratios_of
from lrlab.search.scores import Scores
from lrlab.search.sentences import show
from lrlab.search.settings import DEFAULTS, SearchSettings
from lrlab.search.verdict import EDGE, FLAT, INTERIOR, NOISY, NONE
from lrlab.types import Answer

AXIS = "offset_"
"""In front of a rate's name: the further lane axis of its ratio to the scale, in decades."""


class RateAnswer(NamedTuple):
    """What the search of one rate by itself said; `answer` None: the budget did not reach."""

    name: str
    answer: Answer | None


def find_rates(
    train: Train,
    *,
    ranges: Mapping[str, tuple[float, float]],
    seeds: Sequence[int],
    steps: int,
    eval_steps: Sequence[int],
    metric: str,
    axes: Mapping[str, Sequence[float]] | None = None,
    budget_runs: float | None = None,
    budget_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    ended: Callable[[], bool] = lambda: False,
    labels: Mapping[str, Sequence[str]] | None = None,
    settings: SearchSettings = DEFAULTS,
) -> Answer:
    """The learning rates to train with, by name.

    As `lrlab.search.find`; `train` takes the first rate as its learning rates and the others as
    further hyper-parameters, `lr_<name>` each.

    Args:
        ranges: name -> where to look first, (low, high); equal ends hold that rate.
        axes: further lane axes, searched with the ratios (see `find_axes`).

    Returns:
        An answer whose `lr` and `interval` are dicts by name, as are the rates in its `evidence`.
        `confidence` is the product of the rates' own, `resolved` the largest of theirs. `verdict`:
        "none" where nothing trains; else "noisy" or "edge" where one rate's is, "flat"
        where all are. `details`: `rates` (name -> what its own search said: lr, interval, resolved,
        verdict, sentence, cost), `ratios` (what each ratio came to), `at`, `stages`, `rungs`.
    """
    began, names = clock(), list(ranges)
    free = [name for name, (low, high) in ranges.items() if low < high]
    total = budget_runs
    if total is None:
        total = settings.axes_budget * max(1, len(free))
    first = total if len(free) < 2 else total * settings.together_share
    cells = int(np.prod([len(values) for values in (axes or {}).values()] or [1]))
    rates = ratios_of(ranges, first / cells, steps, eval_steps, settings)
    offsets = {f"{AXIS}{name}": values for name, values in rates.offsets.items()}
    together = find_axes(
        scaled(train, rates, names),
        axes={**offsets, **(axes or {})},
        lr_range=rates.scale,
        seeds=seeds,
        steps=steps,
        eval_steps=eval_steps,
        metric=metric,
        budget_runs=first,
        budget_seconds=None if budget_seconds is None else budget_seconds * first / total,
        clock=clock,
        ended=ended,
        labels=labels,
        settings=settings,
    )
    at = {name: v for name, v in together.details.get("at", {}).items() if name not in offsets}
    if together.lr is None:
        rest = {**_details(together, rates, at), "rates": {}}
        return together._replace(evidence=_rows(together, rates, {}), details=rest)
    chosen = {name: float(together.details["at"].get(f"{AXIS}{name}", 0.0)) for name in names}
    point = rates.at(_number(together.lr), chosen)
    held = {
        name: float((labels or {}).get(name, ()).index(v) if isinstance(v, str) else v)
        for name, v in at.items()
    }
    said, paid = [], together.cost
    evidence = list(_rows(together, rates, chosen))
    for number, name in enumerate(free if len(free) > 1 else ()):
        waiting = len(free) - number
        share = (total - paid) / waiting
        seconds = None
        if budget_seconds is not None:
            seconds = max(0.0, budget_seconds - (clock() - began)) / waiting
        if share < settings.least_alone or seconds == 0 or ended():
            said.append(RateAnswer(name, None))
            continue
        around = 10.0**settings.alone_decades
        answer = find(
            alone(train, names, name, point, held),
            lr_range=(point[name] / around, point[name] * around),
            seeds=[seed + settings.alone_seeds * (number + 1) for seed in seeds],
            steps=steps,
            eval_steps=eval_steps,
            metric=metric,
            budget_runs=share,
            budget_seconds=seconds,
            clock=clock,
            ended=ended,
            settings=settings,
        )
        answer = placed(answer, ranges[name])
        evidence += [{**row, "lr": {**point, name: row["lr"]}} for row in answer.evidence]
        paid += answer.cost
        said.append(RateAnswer(name, answer))
        if answer.lr is not None:
            point = {**point, name: _number(answer.lr)}
    return _concluded(together, rates, point, said, at, tuple(evidence), paid)


Split = Callable[
    [np.ndarray, dict[str, np.ndarray]], tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]
]
"""`(one number per lane, further axes) -> (rates by name, the further axes that are left)`."""


def scaled(train: Train, rates: Rates, names: Sequence[str]) -> Train:
    """A trainer of one learning rate, the scale, and further axes `offset_<name>`."""

    def split(lr: np.ndarray, rest: dict[str, np.ndarray]) -> tuple[Any, Any]:
        zero = np.zeros(len(lr))
        offsets = {name: rest.pop(f"{AXIS}{name}", zero) for name in names}
        return rates.arrays(lr, offsets), rest

    return _of_one(train, split)


def alone(
    train: Train,
    names: Sequence[str],
    name: str,
    point: Mapping[str, float],
    held: Mapping[str, float],
) -> Train:
    """A trainer of the rate `name`, the others and the further axes held."""

    def split(lr: np.ndarray, rest: dict[str, np.ndarray]) -> tuple[Any, Any]:
        ones = np.ones(len(lr))
        values = {one: lr if one == name else point[one] * ones for one in names}
        return values, {axis: value * ones for axis, value in held.items()}

    return _of_one(train, split)


def _of_one(train: Train, split: Split) -> Train:
    """A trainer of lanes by one number each, which is all that a search sees of them."""

    def by_one(
        lr: np.ndarray,
        seed: np.ndarray,
        rungs: tuple[int, ...] = (),
        decide: Decide | None = None,
        further: Mapping[str, np.ndarray] | None = None,
    ) -> Scores:
        values, rest = split(lr, dict(further or {}))
        first, *others = values
        named = {f"{RATE_PREFIX}{name}": values[name] for name in others} | dict(rest)

        def judge(step: int, scores: Scores) -> np.ndarray:
            assert decide is not None
            return decide(step, scores._replace(lr=lr))

        inner = None if decide is None else judge
        return train(values[first], seed, rungs, inner, named)._replace(lr=lr)

    return by_one


def placed(answer: Answer, given: tuple[float, float]) -> Answer:
    """An answer about a rate by itself whose best is at an end of what was tried: where the range
    that was given reaches further, a larger budget looks there, and no other range is needed."""
    lr, at = answer.lr, answer.details.get("edge", answer.lr)
    if answer.verdict != EDGE or not isinstance(lr, float) or not given[0] < at < given[1]:
        return answer
    tried = [row["lr"] for row in answer.evidence]
    side = "largest" if at / min(tried) > max(tried) / at else "smallest"
    best = f"The best rate tried by itself, {show(at)}, is"
    if show(at) != show(lr):
        best = f"The best rate by itself may be {show(at)} ({show(lr)} is the best guess),"
    best += f" the {side} one of these, inside the range that was given"
    return answer._replace(sentence=f"{best}: the true best may lie beyond. Raise the budget.")


def _concluded(
    together: Answer,
    rates: Rates,
    point: Mapping[str, float],
    said: Sequence[RateAnswer],
    at: Mapping[str, float | str],
    evidence: tuple[Mapping[str, Any], ...],
    paid: float,
) -> Answer:
    """The answer, from that of all rates together and that of each by itself."""
    alone = {name: answer for name, answer in said if answer is not None}
    whole = together.interval or (0.0, 0.0)
    ratio = [end / _number(together.lr) for end in _ends(whole)]
    interval = {}
    for name, value in point.items():
        mine = alone[name].interval if name in alone else None
        if mine is not None:
            low, high = _ends(mine)
        elif name in rates.held:
            low = high = value
        else:  # of all rates together: what there is
            low, high = value * ratio[0], value * ratio[1]
        interval[name] = min(low, value), max(high, value)
    verdicts = [answer.verdict for answer in alone.values()] or [together.verdict]
    verdict = _joined(verdicts)
    details = _details(together, rates, at)
    details["rates"] = {
        name: {
            "lr": answer.lr,
            "interval": answer.interval,
            "resolved": answer.resolved,
            "verdict": answer.verdict,
            "sentence": answer.sentence,
            "cost": answer.cost,
            "fit": answer.details.get("fit"),
            "largest_stable": answer.largest_stable,
        }
        for name, answer in alone.items()
    }
    for answer in alone.values():
        details["stages"] = [*details["stages"], *answer.details["stages"]]
        details["rungs"] = [*details["rungs"], *answer.details["rungs"]]
    levels = [level_of(a.tolerance, a.resolved) for a in (together, *alone.values())]
    level = max(levels[1:] or levels)
    text = _sentence(point, interval, level, alone, rates, at)
    each = list(alone.values()) or [together]
    return Answer(
        dict(point), interval, verdict, text, together.metric, paid, evidence, None, details,
        confidence=float(np.prod([answer.confidence or 0.0 for answer in each])),
        tolerance=together.tolerance,
        resolved=max(answer.resolved or 0.0 for answer in each),
    )  # fmt: skip


def _joined(verdicts: Sequence[str]) -> str:
    """One verdict for all rates: the worst, and flat only where each is.

    >>> _joined(["interior", "noisy"]), _joined(["flat", "interior"]), _joined(["flat", "flat"])
    ('noisy', 'interior', 'flat')
    """
    if NOISY in verdicts or NONE in verdicts:
        return NOISY  # a rate at which all of them train, and other seeds gain nothing
    if EDGE in verdicts:
        return EDGE
    return FLAT if all(verdict == FLAT for verdict in verdicts) else INTERIOR


def _sentence(
    point: Mapping[str, float],
    interval: Mapping[str, tuple[float, float]],
    level: float,
    alone: Mapping[str, Answer],
    rates: Rates,
    at: Mapping[str, float | str],
) -> str:
    """What a person should do, and what to know of each rate."""
    parts = []
    for name, value in point.items():
        low, high = map(show, interval[name])
        as_good = "held" if name in rates.held else f"{low} to {high}"
        parts.append(f"{name} {show(value)} ({as_good})")
    text = f"Train with learning rates {', '.join(parts)}"
    free = [name for name in point if name not in rates.held]
    if all(name in alone for name in free) and len(free) > 1:
        text += f": each costs at most {percent(level)} more in its range, the other rates held."
    elif len(free) > 1:
        text += (
            f": they cost at most {percent(level)} more in their ranges, all moved together; the "
            "budget did not reach for each rate by itself."
        )
    else:
        text += f": it costs at most {percent(level)} more in its range."
    for name, answer in alone.items():
        if answer.verdict != INTERIOR:
            text += f" {name}: {answer.sentence}"
    return f"With {in_words(at)}: {text}" if at else text


def _details(together: Answer, rates: Rates, at: Mapping[str, float | str]) -> dict[str, Any]:
    """The details of the search along all rates, its scale and offsets as rates by name."""
    details = {
        k: v for k, v in together.details.items() if k not in ("fit", "correlation", "ridge")
    }
    rows = []
    for row in details.pop("combinations", ()):
        offsets = {name: row.get(f"{AXIS}{name}", 0.0) for name in rates.middles}
        lr = None if row["lr"] is None else rates.at(row["lr"], offsets)
        kept = {k: v for k, v in row.items() if not k.startswith(AXIS) and k != "interval"}
        rows.append({**kept, "lr": lr})
    return {**details, "ratios": rows, "at": dict(at)}


def _rows(
    together: Answer, rates: Rates, offsets: Mapping[str, float]
) -> tuple[Mapping[str, Any], ...]:
    """The evidence along the scale at the best ratio, with rates by name."""
    return tuple({**row, "lr": rates.at(row["lr"], offsets)} for row in together.evidence)


def _number(lr: float | Mapping[str, float] | None) -> float:
    """The rate of a search for one."""
    assert isinstance(lr, float)
    return lr


def _ends(interval: object) -> tuple[float, float]:
    """The interval of a search for one rate."""
    assert isinstance(interval, tuple)
    return interval
