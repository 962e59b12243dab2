"""Are the statistics right as often as they say?

Hypothesis: an interval of 95 % holds the truth in 95 % of simulated comparisons and studies, the
best of several equal entries beats none of them in 95 %, and a probability is a frequency.
Command: python experiments/calibration.py [--quick] [--searches]
Cost: no training; about 20 minutes of one busy CPU core (2 with --quick).
Result: see experiments/README.md.
"""

from __future__ import annotations

import argparse

import calibration_laws as laws
import calibration_pairs as pairs
import numpy as np

from lrlab.search.statistics import power_law

SEEDS = (2, 3, 5, 10)
ENTRIES = (2, 3, 6, 12)
ROOT = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the simulations")
    parser.add_argument("--searches", action="store_true", help="studies by searches too")
    arguments = parser.parse_args()
    share = 0.1 if arguments.quick else 1.0
    intervals(round(2000 * share))
    winners(round(400 * share))
    chances(round(500 * share))
    errors(round(2000 * share))
    exponents(laws.SETTINGS, round(200 * share))
    if arguments.searches:
        exponents(laws.SEARCHED, round(40 * share))


def intervals(count: int) -> None:
    print(f"Paired intervals of 95 %: share that hold the truth, of {count} (seeds {SEEDS})")
    for name in pairs.PAIRS:
        shares = [pairs.interval_coverage(name, seeds, count, ROOT) for seeds in SEEDS]
        print(f"  {name:36}", *(f"{one:.3f}" for one in shares), flush=True)


def winners(count: int) -> None:
    print(f"Equal entries: share of {count} comparisons in which the best beats one {ENTRIES}")
    for sigma, kind in ((0.0, "normal"), (1.0, "log-normal")):
        for seeds in (2, 3, 5, 8):
            shares = [pairs.false_winners(n, seeds, count, sigma, ROOT) for n in ENTRIES]
            print(f"  {kind}, {seeds} seeds", *(f"{one:.3f}" for one in shares), flush=True)


def chances(count: int) -> None:
    print(f"Probability of the likeliest to be the best: said, and true in, of {count}")
    for settings in (2, 6):
        for spread in (0.5, 0.7, 1.0, 2.0):
            cells = []
            for seeds in (2, 3, 5):
                said, right = pairs.probabilities(settings, seeds, spread, count, ROOT)
                sure = said >= 0.8
                high = f"{said[sure].mean():.2f} {right[sure].mean():.2f}" if sure.any() else "-"
                cells.append(f"{said.mean():.2f} {right.mean():.2f} (from 0.8: {high})")
            print(f"  {settings} settings, spread {spread}:", "; ".join(cells), flush=True)


def errors(count: int) -> None:
    print(f"power_law(errors=) of half the truth: share that hold the exponent, of {count}")
    random = np.random.default_rng(ROOT)
    for points in (2, 3, 4, 8):
        x, hits = 2.0 ** np.arange(points), 0
        for _ in range(count):
            y = x**-0.5 * np.exp(0.4 * random.standard_normal(points))
            exponent = power_law(x, y, errors=np.full(points, 0.2)).exponent
            hits += exponent.low <= -0.5 <= exponent.high
        print(f"  {points} points {hits / count:.3f}", flush=True)


def exponents(settings: tuple[laws.Setting, ...], count: int) -> None:
    print(f"Exponents of {count} studies: share of intervals that hold it; width over the needed")
    for setting in settings:
        coverage, wider = laws.exponent_coverage(setting, count, ROOT)
        print(f"  {setting}: {coverage:.3f}; {wider:.2f}", flush=True)


if __name__ == "__main__":
    main()
