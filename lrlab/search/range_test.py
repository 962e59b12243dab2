"""The mathematics of a range test: the ladder of rates, what was measured, what rules suggest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lrlab.core.grids import log_grid
from lrlab.core.text import number
from lrlab.search import rules
from lrlab.search.rules.own import Rule, suggestions

ADVICE = "A rule looks at one short curve; `lrlab find` trains the rates themselves."

TAIL = 10
"""A parallel run's training loss is the mean of its last 1 / this: single minibatches are noisy."""


def ladder(start: float, end: float, num_steps: int, mode: str = "exponential") -> np.ndarray:
    """The rates of a ramp, both ends exact; f64[num_steps].

    `mode`: "exponential" spaces them evenly in log, "linear" evenly (Smith 2017, arXiv 1506.01186).

    Raises:
        ValueError: no such mode, or ends that are not positive and finite.

    >>> ladder(1e-3, 1e-1, 3).tolist(), ladder(1.0, 2.0, 3, "linear").tolist()
    ([0.001, 0.01, 0.1], [1.0, 1.5, 2.0])
    """
    if mode not in ("exponential", "linear"):
        raise ValueError(f'ladder: mode is "exponential" or "linear", got {mode!r}')
    rates = log_grid(start, end, num_steps)
    return rates if mode == "exponential" else np.linspace(start, end, num_steps)


class RangeCurves(NamedTuple):
    """The curves of a range test, and what every registered rule says of them.

    `lr` f64[N] ascending; `loss` f[seeds, N], nan after divergence; `seeds` int[seeds]; `kind`
    "ramp" or "parallel"; `split` whose loss it is; `reasons` rule -> seed -> why it suggests
    nothing; `notes` rule -> seed -> what to know of a pick; `mode` how the rates are spaced;
    `remark` what stands before all else ("": nothing).
    """

    lr: np.ndarray
    loss: np.ndarray
    seeds: np.ndarray
    kind: str
    split: str
    reasons: Mapping[str, Mapping[int, str]] = {}
    mode: str = "exponential"
    notes: Mapping[str, Mapping[int, str]] = {}
    remark: str = ""

    def suggest(self, rule: str | Rule = "valley") -> np.ndarray:
        """One learning rate per seed, f64[seeds]; nan where the rule sees none.

        Raises:
            ValueError: no such rule; or a function that fails, or gives no positive number.
        """
        if callable(rule):
            return suggestions(rule, self.lr, self.loss, self.seeds.tolist())
        return np.array([rules.apply(rule, self.lr, loss).lr for loss in self.loss])

    def spread(self, rule: str | Rule = "valley") -> float:
        """Largest over smallest suggestion between seeds; nan where fewer than two are there."""
        picks = self.suggest(rule)
        picks = picks[np.isfinite(picks)]
        return float(picks.max() / picks.min()) if len(picks) > 1 else float("nan")

    def suggestions(self) -> dict[str, list[float]]:
        """Every rule's learning rates, one per seed."""
        return {name: self.suggest(name).tolist() for name in rules.NAMES}

    @property
    def sentence(self) -> str:
        """How far the rules agree, with one another and between seeds; or the `remark`."""
        if self.remark:
            return self.remark
        picks = {name: self.suggest(name) for name in rules.NAMES}
        medians = {name: middle(some) for name, some in picks.items() if np.isfinite(some).any()}
        if not medians:
            return "No rule sees a learning rate in these curves: " + next(
                (why for some in self.reasons.values() for why in some.values()), "they are empty"
            )
        low, high = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
        many = f", medians over {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        if len(medians) == 1:
            return f"One rule suggests a learning rate: {low}, {number(medians[low], 2)}{many}."
        return (
            f"The rules suggest anything from {number(medians[low], 2)} ({low}) to "
            f"{number(medians[high], 2)} ({high}){many}."
        )

    def remarks(self) -> list[str]:
        """What is to be known of the picks, a line for all rules that it is true of; where seeds
        differ, of the first."""
        rules_of: dict[str, list[str]] = {}
        for rule, notes in self.notes.items():
            if notes:
                rules_of.setdefault(next(iter(notes.values())), []).append(rule)
        return [f"{', '.join(names)}: {note}." for note, names in rules_of.items()]


def middle(picks: np.ndarray) -> float:
    """The median in log of the picks that are there.

    >>> middle(np.array([0.1, np.nan, 0.001, 0.01])).__round__(9)
    0.01
    """
    return float(np.exp(np.median(np.log(picks[np.isfinite(picks)]))))


def range_test(
    lr: np.ndarray,
    loss: np.ndarray,
    seeds: np.ndarray,
    kind: str,
    split: str,
    mode: str = "exponential",
) -> RangeCurves:
    """The curves with every rule's reasons and notes."""
    reasons: dict[str, dict[int, str]] = {}
    notes: dict[str, dict[int, str]] = {}
    for name in rules.NAMES:
        picks = {
            int(seed): rules.apply(name, lr, row) for seed, row in zip(seeds, loss, strict=True)
        }
        reasons[name] = {s: pick.reason for s, pick in picks.items() if not np.isfinite(pick.lr)}
        notes[name] = {s: pick.note for s, pick in picks.items() if pick.note}
    return RangeCurves(lr, loss, np.asarray(seeds), kind, split, reasons, mode, notes)


def losses_of(
    kind: str, split: str, train_loss: np.ndarray, evaluated: Mapping[str, np.ndarray]
) -> np.ndarray:
    """[seeds, N] of a recorded test: what each rate of the ladder met.

    Args:
        train_loss: [steps, 1, seeds] of a ramp, [steps, N, seeds] of a parallel test.
        evaluated: metric -> the same over evaluations.

    A ramp's loss stands at the step of its rate: read before the update with "train", after it with
    "valid". A parallel run's loss is the mean of its last tenth, or its validation loss at the end.
    """
    rows = np.asarray(train_loss if split == "train" else evaluated[f"{split}_loss"], np.float64)
    if kind == "ramp":
        return rows[:, 0].T
    return rows[-_last(len(rows), split) :].mean(0).T


def losses_so_far(
    kind: str,
    split: str,
    train_loss: np.ndarray,
    evaluated: Mapping[str, np.ndarray],
    training: np.ndarray,
) -> np.ndarray:
    """[seeds, N] of a test that is under way: as if every lane ended where it is; nan where nothing
    is recorded.

    Args:
        training: bool[lanes, seeds], the lanes under way.

    >>> losses = np.array([4.0, 2.0, np.nan]).reshape(3, 1, 1)
    >>> losses_so_far("parallel", "train", losses, {}, np.array([[True]])).tolist()
    [[2.0]]
    """
    loss = losses_of(kind, split, train_loss, evaluated)
    if kind == "ramp":
        return loss
    rows = np.asarray(train_loss if split == "train" else evaluated[f"{split}_loss"], np.float64)
    for rate, seed in np.argwhere(training):
        seen = rows[np.isfinite(rows[:, rate, seed]), rate, seed]
        if len(seen):
            loss[seed, rate] = seen[-_last(len(seen), split) :].mean()
    return loss


def _last(rows: int, split: str) -> int:
    """How many of a parallel run's recorded losses count."""
    return max(1, rows // TAIL) if split == "train" else 1
