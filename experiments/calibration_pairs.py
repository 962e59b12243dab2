"""Simulated comparisons whose truth is known, for `calibration.py`; trains nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lrlab.search import compared
from lrlab.search.statistics import paired_comparison, probability_best
from lrlab.types import Answer

Losses = tuple[np.ndarray, np.ndarray, float]
"""Two settings' losses f64[n] by seed, and the true difference of their means."""


def _log_normal(random: np.random.Generator, seeds: int, sigma: float) -> np.ndarray:
    return np.exp(sigma * random.standard_normal(seeds))


def normal(random: np.random.Generator, seeds: int) -> Losses:
    shared = 3 * random.standard_normal(seeds)
    a, b = random.standard_normal((2, seeds))
    return shared + a, shared + b + 0.5, -0.5


def log_normal(random: np.random.Generator, seeds: int, a: float, b: float, times: float) -> Losses:
    """Losses whose logarithms have the standard deviations a and b, the second ones times a factor;
    0: the same loss for every seed."""
    truth = np.exp(a**2 / 2) - times * np.exp(b**2 / 2)
    return _log_normal(random, seeds, a), times * _log_normal(random, seeds, b), truth


PAIRS: dict[str, Callable[[np.random.Generator, int], Losses]] = {
    "normal": normal,
    "log-normal, equal": lambda random, n: log_normal(random, n, 1.0, 1.0, 1.0),
    "log-normal, second twice as high": lambda random, n: log_normal(random, n, 1.0, 1.0, 2.0),
    "log-normal 0.5 against 1": lambda random, n: log_normal(random, n, 0.5, 1.0, 1.0),
    "log-normal 0.5 against a constant": lambda random, n: log_normal(random, n, 0.5, 0.0, 1.0),
    "log-normal 1 against a constant": lambda random, n: log_normal(random, n, 1.0, 0.0, 1.0),
}


def interval_coverage(name: str, seeds: int, count: int, root: int = 0) -> float:
    """The share of `count` pairs whose interval holds the true difference."""
    random, hits = np.random.default_rng([root, seeds]), 0
    for _ in range(count):
        a, b, truth = PAIRS[name](random, seeds)
        low, high = paired_comparison(a, b).difference[1:]
        hits += low <= truth <= high
    return hits / count


def false_winners(entries: int, seeds: int, count: int, sigma: float = 0.0, root: int = 0) -> float:
    """The share of `count` comparisons of equal entries that say the best beats another one;
    log-normal losses of that `sigma`, normal ones for 0."""
    random, wrong = np.random.default_rng([root, entries, seeds]), 0
    for _ in range(count):
        x = random.standard_normal((entries, seeds))
        losses = np.exp(sigma * x) if sigma else 3.0 + x
        answers = {str(i): answered(row) for i, row in enumerate(losses)}
        versus = compared(answers, "valid_loss", "min").versus.values()
        wrong += any(pair is not None and pair.difference.high < 0 for pair in versus)
    return wrong / count


def answered(scores: np.ndarray) -> Answer:
    """An answer whose rate scored these on fresh seeds."""
    final = {"seeds": list(range(len(scores))), "scores": scores.tolist()}
    details = {"final": final, "initial": 10.0}
    return Answer(0.1, (0.05, 0.2), "interior", "", "valid_loss", 20.0, (), None, details)


def probabilities(
    settings: int, seeds: int, spread: float, count: int, root: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(what is said of the setting that is most probably the best, whether it is), f64[count] and
    bool[count]; true means differ by `spread` standard deviations of a paired difference."""
    random = np.random.default_rng([root, settings, seeds])
    said, right = np.zeros(count), np.zeros(count, bool)
    for i in range(count):
        truth = spread * np.sqrt(0.5) * random.standard_normal(settings)
        noise = np.sqrt(0.5) * random.standard_normal((settings, seeds))
        chances = probability_best(truth[:, None] + noise, draws=1000)
        said[i], right[i] = chances.max(), chances.argmax() == truth.argmin()
    return said, right
