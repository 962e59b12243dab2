"""Simulated studies whose exponent is known, for `calibration.py`; trains nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.core.records import DIVERGED, OK, PRUNED
from lrlab.scaling.laws import group_of, law_of
from lrlab.search import Scores, find, lane_scores
from lrlab.types import Answer

INITIAL = 2.0
RATES = np.geomspace(1e-5, 10.0, 19)
STEPS, EVAL_STEPS = 100, tuple(range(5, 101, 5))


class Setting(NamedTuple):
    """Studies of one kind: the true `exponent` of the best rate over `values` values, each twice
    the one before; `noise` between lanes, and three times as much between seeds, as shares of what
    training gains; the shape of the loss over log LR, and whether rates are searched for or swept.
    """

    values: int
    exponent: float
    noise: float
    shape: str = "bowl"
    search: bool = False

    def __str__(self) -> str:
        way = "searches" if self.search else "sweeps"
        return (
            f"{self.values} values, exponent {self.exponent:g}, noise {self.noise:g}, "
            f"{self.shape}, {way}"
        )


SETTINGS = (
    Setting(3, -1.0, 0.03),
    Setting(5, -0.5, 0.03),
    Setting(8, 0.0, 0.03),
    Setting(4, -0.5, 0.003, "cliff"),
    Setting(5, -1.0, 0.01, "cliff"),
    Setting(3, 0.0, 0.03, "cliff"),
    Setting(6, -0.5, 0.01, "narrow"),
)
SEARCHED = (
    Setting(4, -1.0, 0.03, search=True),
    Setting(5, 0.0, 0.01, "cliff", search=True),
    Setting(3, -0.5, 0.003, "cliff", search=True),
)


def regret(away: np.ndarray, shape: str) -> np.ndarray:
    """Share of the gain that is lost at so many decades from the best rate."""
    if shape == "cliff":  # slow on the left, soon unstable on the right
        left = 1 - np.exp(-(np.maximum(-away, 0) ** 1.5))
        right = np.where(away > 0.35, 1.0, 3 * np.maximum(away, 0) ** 2)
        return np.where(away < 0, left, np.minimum(right, 1))
    return 1 - np.exp(-((away / {"bowl": 1.0, "narrow": 0.5}[shape]) ** 2))


def study(setting: Setting, random: np.random.Generator, seeds: int = 3) -> tuple[float, float]:
    """(error of the exponent, half the width of its interval) of one simulated study."""
    first = random.uniform(-1.2, -0.2)  # log10 of the best rate at the first value
    groups = []
    for value in 2.0 ** np.arange(setting.values):
        best = first + setting.exponent * np.log10(value)
        train = trainer(setting, best, int(random.integers(2**31)))
        groups.append(group_of(value, "standard", _answer(train, setting, seeds), INITIAL))
    fit = law_of(groups).fit
    if fit is None:
        return 0.0, float("inf")
    exponent = fit.exponent
    return exponent.value - setting.exponent, (exponent.high - exponent.low) / 2


def _answer(train, setting: Setting, seeds: int) -> Answer:
    if setting.search:
        return find(
            train, lr_range=(1e-6, 10.0), seeds=range(seeds), steps=STEPS, eval_steps=EVAL_STEPS,
            metric="valid_loss",
        )  # fmt: skip
    lr, seed = np.repeat(RATES, seeds), np.tile(np.arange(seeds), len(RATES))
    lanes = lane_scores(train(lr, seed)).reshape(len(RATES), seeds)
    evidence = tuple(
        {"lr": rate, "seeds": list(range(seeds)), "scores": row.tolist(), "outcome": ["ok"] * seeds}
        for rate, row in zip(RATES, lanes, strict=True)
    )  # what a sweep's answer has, without the second that its own curves take
    best = float(RATES[lanes.mean(1).argmin()])
    return Answer(best, (best, best), "interior", "", "valid_loss", 1.0, evidence)


def trainer(setting: Setting, best: float, root: int):
    """A function that trains lanes as `lrlab.search.find` wants one."""

    def train(lr, seed, rungs=(), decide=None, further=None) -> Scores:
        noise = [
            np.random.default_rng([root, int(s)]).standard_normal() * 3 * setting.noise
            + np.random.default_rng(
                [root, int(s), int(1e6 * (np.log(r) + 99))]
            ).standard_normal() * setting.noise
            for r, s in zip(lr, seed, strict=True)
        ]  # fmt: skip
        final = 1.0 + regret(np.log10(lr) - best, setting.shape) + np.array(noise)
        final = np.minimum(final, INITIAL)
        part = 1 - np.exp(-4 * np.array(EVAL_STEPS) / STEPS)
        values = INITIAL + (final - INITIAL) * (part / part[-1])[:, None]
        broken = np.log10(lr) - best > (0.8 if setting.shape == "cliff" else 2.0)
        values = np.where(broken, np.nan, values)
        outcome = np.where(broken, DIVERGED, OK)
        steps = np.where(broken, 3, STEPS)
        scores = Scores(
            lr, seed, values, np.array(EVAL_STEPS), np.full(len(lr), INITIAL), outcome,
            np.where(broken, 3, -1), steps, STEPS,
        )  # fmt: skip
        for rung in rungs if decide is not None else ():
            kept = decide(rung, scores) | broken | (scores.outcome == PRUNED)
            cut = ~kept
            late = np.array(EVAL_STEPS)[:, None] > rung
            scores = scores._replace(
                values=np.where(late & cut, np.nan, scores.values),
                outcome=np.where(cut, PRUNED, scores.outcome),
                steps_trained=np.where(cut, rung, scores.steps_trained),
            )
        return scores

    return train


def exponent_coverage(setting: Setting, count: int, root: int = 0) -> tuple[float, float]:
    """(share of `count` studies whose interval holds the exponent, how many times wider intervals
    are than would hold it in 95 %)."""
    random = np.random.default_rng([root, SETTINGS.index(setting) if setting in SETTINGS else 99])
    pairs = [study(setting, random) for _ in range(count)]
    error, half = (np.array(column) for column in zip(*pairs, strict=True))
    needed = np.quantile(np.abs(error) / half, 0.95)
    return float((np.abs(error) <= half).mean()), float(1 / max(needed, 1e-9))
