"""The range test: one short run whose learning rate climbs, and what its curve suggests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lrlab.grid import log_grid


def ladder(start: float, end: float, num_steps: int) -> np.ndarray:
    """The rates of a ramp, evenly spaced in log from `start` to `end`; f64[num_steps].

    >>> ladder(1e-3, 1e-1, 3).tolist()
    [0.001, 0.01, 0.1]
    """
    return log_grid(start, end, num_steps)


class RangeTest(NamedTuple):
    """A finished range test.

    `lr` f64[N]; `loss` f[seeds, N], nan after divergence; `seeds` int[seeds]; `kind` "ramp" or
    "parallel"; `split` whose loss it is; `reasons` rule -> seed -> why it suggests nothing, filled
    for every registered rule when the test was made.
    """

    lr: np.ndarray
    loss: np.ndarray
    seeds: np.ndarray
    kind: str
    split: str
    reasons: Mapping[str, Mapping[int, str]] = {}
    run: str | None = None

    def suggest(self, rule: str = "valley") -> np.ndarray:
        """One learning rate per seed, f64[seeds]; nan where the rule sees none (see `reasons`).

        Raises:
            ValueError: no such rule (`lrlab ls rules`).
        """
        from lrlab.search import rules

        return np.array([rules.apply(rule, self.lr, loss).lr for loss in self.loss])

    def spread(self, rule: str = "valley") -> float:
        """Largest over smallest suggestion between seeds; nan where fewer than two are there."""
        found = self.suggest(rule)
        found = found[np.isfinite(found) & (found > 0)]
        return float(found.max() / found.min()) if len(found) > 1 else float("nan")

    def suggestions(self) -> dict[str, list[float]]:
        """Every rule's learning rates, one per seed."""
        from lrlab.search import rules

        return {name: self.suggest(name).tolist() for name in rules.NAMES}

    def payload(self) -> dict[str, Any]:
        """The JSON object of `lrlab range-test`."""
        from lrlab.search import rules

        return {
            "run": self.run,
            "suggestions": self.suggestions(),
            "spread": {name: self.spread(name) for name in rules.NAMES},
            "reasons": {rule: dict(why) for rule, why in self.reasons.items() if why},
        }

    def __str__(self) -> str:
        from lrlab.search import rules

        lines = [
            f"Range test ({self.kind}, {self.split} loss): {len(self.lr)} rates from "
            f"{self.lr[0]:.2g} to {self.lr[-1]:.2g}, {len(self.seeds)} seeds"
        ]
        for name in rules.NAMES:
            found = self.suggest(name)
            seen = found[np.isfinite(found)]
            if not len(seen):
                why = next(iter(self.reasons.get(name, {}).values()), "no suggestion")
                lines.append(f"  {name:24} none: {why}")
                continue
            middle = float(np.median(seen))
            lines.append(
                f"  {name:24} {middle:.2g}   between seeds {seen.min():.2g} to {seen.max():.2g}"
                + (f", none for {len(found) - len(seen)}" if len(seen) < len(found) else "")
            )
        lines.append("A rule looks at one short curve; `lrlab find` trains the rates themselves.")
        return "\n".join(lines)


def range_test(
    lr: np.ndarray, loss: np.ndarray, seeds: np.ndarray, kind: str, split: str
) -> RangeTest:
    """A `RangeTest` with every rule's reasons."""
    from lrlab.search import rules

    reasons: dict[str, dict[int, str]] = {}
    for name in rules.NAMES:
        picks = [rules.apply(name, lr, row) for row in loss]
        reasons[name] = {
            int(seed): pick.reason
            for seed, pick in zip(seeds, picks, strict=True)
            if not np.isfinite(pick.lr)
        }
    return RangeTest(lr, loss, np.asarray(seeds), kind, split, reasons)
