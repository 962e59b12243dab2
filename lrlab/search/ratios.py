"""Several learning rates as one scale and the ratios between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab.search.rungs import scout_plan
from lrlab.search.settings import SearchSettings

DIGITS = 6
"""Significant digits of a rate: those that two ratios come to are then one."""


class Rates(NamedTuple):
    """Rates by name, as a scale (a learning rate) times a ratio each.

    `middles`: log10 of each rate where scale and offsets are in the middle; `center`: log10 of the
    scale there; `scale`: its range; `offsets`: name -> decades from the middle ratio that are
    tried, of each but the first rate; `held`: the rates that are given.
    """

    middles: Mapping[str, float]
    center: float
    scale: tuple[float, float]
    offsets: Mapping[str, tuple[float, ...]]
    step: float
    held: tuple[str, ...] = ()

    def at(self, scale: float, offsets: Mapping[str, float]) -> dict[str, float]:
        """Name -> rate at one scale.

        >>> rates = Rates({"a": -2.0, "b": -3.0}, -2.5, (0.1, 1.0), {"b": (0.0, 1.0)}, 0.5)
        >>> rates.at(10**-2.5, {"b": 1.0})
        {'a': 0.00316228, 'b': 0.00316228}
        """
        arrays = {name: np.array([value]) for name, value in offsets.items()}
        found = self.arrays(np.array([scale]), arrays)
        return {name: float(values[0]) for name, values in found.items()}

    def arrays(self, scale: np.ndarray, offsets: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Name -> rates f64[n] at scales f64[n] and offsets f64[n] each.

        An offset is shared: the rate goes up by one part and all go down by another, in whole
        steps, so that a line of scales stays inside the ranges as far as may be.
        """
        logs = np.log10(scale) - self.center
        free = [name for name in self.middles if name not in self.held]
        moved = {name: offsets.get(name, np.zeros(len(scale))) for name in free}
        common = sum(moved.values(), np.zeros(len(scale))) / max(1, len(free))
        common = np.round(common / self.step) * self.step
        values = {}
        for name, middle in self.middles.items():
            log = middle + (0.0 if name in self.held else logs + moved.get(name, 0.0) - common)
            values[name] = np.array([float(f"{10**x:.{DIGITS}g}") for x in log + 0 * logs])
        return values


def ratios_of(
    ranges: Mapping[str, tuple[float, float]],
    budget: float,
    steps: int,
    eval_steps: Sequence[int],
    settings: SearchSettings,
) -> Rates:
    """The scale's range, and the ratios that a budget (full-length runs) can look at.

    The ratios lie evenly around that of the ranges' middles, about `settings.ratio_decades` apart,
    as far as most of the ranges allow; fewer where each would have less than `ratio_budget` runs.
    """
    held = tuple(name for name, (low, high) in ranges.items() if low == high)
    middles = {
        name: float(np.log10(low) + np.log10(high)) / 2 for name, (low, high) in ranges.items()
    }
    widths = {name: float(np.log10(ranges[name][1] / ranges[name][0])) for name in ranges}
    free = [name for name in ranges if name not in held]
    center = float(np.mean([middles[name] for name in free] or list(middles.values())))
    width = max([widths[name] for name in free] or [1e-6])
    further = free[1:]
    most = {
        name: 2 * int(settings.ratio_share * (widths[free[0]] + widths[name]) / 2
                      / settings.ratio_decades) + 1
        for name in further
    }  # fmt: skip
    counts = {name: max(3, min(settings.ratios, most[name])) for name in further}
    while counts and np.prod(list(counts.values())) * settings.ratio_budget > budget:
        name = max(counts, key=lambda one: counts[one])
        if counts[name] == 1:
            break
        counts[name] -= 2
    cells = max(1, int(np.prod(list(counts.values()) or [1])))
    plan = scout_plan(budget / cells, steps, eval_steps, settings)
    step = width / max(1, plan.rates - 1)
    # In whole steps of the scale: then the rates of all ratios lie on one grid.
    stride = max(1, round(settings.ratio_decades / step)) * step
    offsets = {
        name: tuple(stride * k for k in range(-(count // 2), count // 2 + 1))
        for name, count in counts.items()
    }
    ends = 10 ** (center - width / 2), 10 ** (center + width / 2)
    return Rates(middles, center, ends, offsets, step, held)
