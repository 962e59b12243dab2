"""What a search may spend: full-length runs, or seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lrlab.search.scores import Scores, cost


class Budget:
    """A budget and its clock; the clock starts here.

    `runs` full-length runs, `seconds` of wall time; with neither, `default` runs. Once `ended()` is
    true nothing more may be spent.
    """

    def __init__(
        self,
        runs: float | None,
        seconds: float | None,
        steps: int,
        clock: Callable[[], float],
        default: float,
        ended: Callable[[], bool] = lambda: False,
    ) -> None:
        self.ended = ended
        self.most = runs if runs is not None else default
        self.runs = runs if runs is not None or seconds is not None else default
        self.seconds, self.steps, self.clock = seconds, steps, clock
        self.start = clock()
        self.marks = [(0.0, 0.0)]  # (seconds, full-length runs)

    def left(self, parts: Sequence[Scores]) -> float:
        """Full-length runs that may still be spent; seconds are converted at the pace so far."""
        if self.ended():
            return 0.0
        spent = cost(parts) if parts else 0.0
        left = self.most - spent
        if self.seconds is None or not parts:
            return left
        return min(left, self._runs_in_time(self.seconds, spent))

    def affordable(self, parts: Sequence[Scores], scores: Scores, step: int, wanted: int) -> int:
        """How many of `wanted` lanes may continue after a rung: all of them, or where time is short
        as many as can still finish; at least one."""
        if self.seconds is None:
            return wanted
        spent = (cost(parts) if parts else 0.0) + cost([scores])
        runs = self._runs_in_time(self.seconds, spent)
        if not np.isfinite(runs):  # the first look: the pace is not known
            return wanted
        share = 1 - step / self.steps
        return int(np.clip(np.floor(runs / max(share, 1e-9)), 1, wanted))

    def _runs_in_time(self, seconds: float, spent: float) -> float:
        """Runs that the remaining seconds pay for, at the pace since the last look: the first look
        includes compilation, so it is trusted only where half the time is gone."""
        now = self.clock() - self.start
        if spent > self.marks[-1][1]:
            self.marks.append((now, spent))
        last, previous = self.marks[-1], self.marks[-2] if len(self.marks) > 1 else self.marks[-1]
        pace = (last[0] - previous[0]) / max(last[1] - previous[1], 1e-9)
        remaining = seconds - now
        if len(self.marks) <= 2 and remaining > seconds / 2:
            return np.inf
        return max(0.0, remaining) / max(pace, 1e-9)

    def record(self, parts: Sequence[Scores]) -> dict[str, float | None]:
        """For the answer's details."""
        spent: dict[str, float | None] = {"budget_runs": self.runs, "runs": cost(parts)}
        if self.seconds is not None:
            spent |= {"budget_seconds": self.seconds, "seconds": self.clock() - self.start}
        return spent
