"""The range test: one short run whose learning rate climbs, and what its curve suggests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from lrlab.core.grids import log_grid
from lrlab.search import rules
from lrlab.search.rules.own import suggestions


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


class RangeTest(NamedTuple):
    """A finished range test. Print it, or plot it.

    `lr` f64[N] ascending; `loss` f[seeds, N], nan after divergence; `seeds` int[seeds]; `kind`
    "ramp" or "parallel"; `split` whose loss it is; `reasons` rule -> seed -> why it suggests
    nothing, for every registered rule; `notes` rule -> seed -> what to know of a pick; `mode` how
    the rates are spaced; `run` its folder; `remark` what stands before all else ("": nothing).
    """

    lr: np.ndarray
    loss: np.ndarray
    seeds: np.ndarray
    kind: str
    split: str
    reasons: Mapping[str, Mapping[int, str]] = {}
    mode: str = "exponential"
    run: str | None = None
    notes: Mapping[str, Mapping[int, str]] = {}
    remark: str = ""

    def suggest(self, rule: str | Callable[..., Any] = "valley") -> np.ndarray:
        """One learning rate per seed, f64[seeds]; nan where the rule sees none (see `reasons`).

        Args:
            rule: a name (`lrlab ls rules`), or a function `rule(lr, loss) -> float` that is asked
                for each seed: `lr` f64[N] ascending, `loss` f64[N] as measured, nan after
                divergence. nan or None where it sees no rate, which a warning says.

        Raises:
            ValueError: no such rule; or the function fails, or gives no positive number.

        >>> lr = np.geomspace(1e-3, 1.0, 4)
        >>> test = RangeTest(lr, np.array([[3.0, 2.0, 1.0, 9.0]]), np.array([0]), "ramp", "train")
        >>> test.suggest(lambda lr, loss: lr[loss.argmin()] / 10).round(6).tolist()
        [0.01]
        """
        if callable(rule):
            return suggestions(rule, self.lr, self.loss, self.seeds.tolist())
        return np.array([rules.apply(rule, self.lr, loss).lr for loss in self.loss])

    def spread(self, rule: str | Callable[..., Any] = "valley") -> float:
        """Largest over smallest suggestion between seeds; nan where fewer than two are there."""
        found = self.suggest(rule)
        found = found[np.isfinite(found)]
        return float(found.max() / found.min()) if len(found) > 1 else float("nan")

    def suggestions(self) -> dict[str, list[float]]:
        """Every rule's learning rates, one per seed."""
        return {name: self.suggest(name).tolist() for name in rules.NAMES}

    @property
    def sentence(self) -> str:
        """How far the rules agree, with one another and between seeds; or the `remark`."""
        if self.remark:
            return self.remark
        picks = {name: self.suggest(name) for name in rules.NAMES}
        seen = {name: middle(found) for name, found in picks.items() if np.isfinite(found).any()}
        if not seen:
            return "No rule sees a learning rate in these curves: " + next(
                (why for some in self.reasons.values() for why in some.values()), "they are empty"
            )
        low, high = min(seen, key=lambda name: seen[name]), max(seen, key=lambda name: seen[name])
        many = f", medians over {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        if len(seen) == 1:
            return f"One rule suggests a learning rate: {low}, {seen[low]:.2g}{many}."
        return (
            f"The rules suggest anything from {seen[low]:.2g} ({low}) to {seen[high]:.2g} "
            f"({high}){many}."
        )

    def payload(self) -> dict[str, Any]:
        """The JSON object of `lrlab range-test`."""
        return {
            "run": self.run,
            "suggestions": self.suggestions(),
            "spread": {name: self.spread(name) for name in rules.NAMES},
            "reasons": {rule: dict(why) for rule, why in self.reasons.items() if why},
            "notes": {rule: dict(what) for rule, what in self.notes.items() if what},
            "kind": self.kind,
            "split": self.split,
            "mode": self.mode,
            **({"remark": self.remark} if self.remark else {}),
            "sentence": self.sentence,
        }

    def plot(self, theme: str = "light") -> Any:
        """The curves of all seeds over the learning rate and every rule's picks below them, as a
        Matplotlib Figure."""
        from lrlab.report import draw_range_test  # on demand: a search needs no figures

        return draw_range_test(self, theme=theme)

    def __repr__(self) -> str:
        return (
            f"RangeTest({self.kind}, {self.split} loss: {len(self.lr)} rates from "
            f"{self.lr[0]:.2g} to {self.lr[-1]:.2g}, {len(self.seeds)} seeds)"
        )

    def __str__(self) -> str:
        lines = [
            f"Range test ({self.kind}, {self.split} loss): {len(self.lr)} rates from "
            f"{self.lr[0]:.2g} to {self.lr[-1]:.2g}, {len(self.seeds)} seeds",
            "  rule                       median   between seeds",
        ]
        for name in rules.NAMES:
            found = self.suggest(name)
            seen = found[np.isfinite(found)]
            if not len(seen):
                why = next(iter(self.reasons.get(name, {}).values()), "no suggestion")
                lines.append(f"  {name:24} {'-':>8}   {why}")
                continue
            lines.append(
                f"  {name:24} {middle(seen):>8.2g}   {seen.min():.2g} to {seen.max():.2g}"
                + (f", none for {len(found) - len(seen)}" if len(seen) < len(found) else "")
            )
        return "\n".join([*lines, *self.remarks(), self.sentence, ADVICE])

    def remarks(self) -> list[str]:
        """What is to be known of the picks, a line for all rules that it is true of; where seeds
        differ, of the first."""
        said: dict[str, list[str]] = {}
        for rule, notes in self.notes.items():
            if notes:
                said.setdefault(next(iter(notes.values())), []).append(rule)
        return [f"{', '.join(names)}: {note}." for note, names in said.items()]


ADVICE = "A rule looks at one short curve; `lrlab find` trains the rates themselves."


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
) -> RangeTest:
    """A `RangeTest` with every rule's reasons."""
    reasons: dict[str, dict[int, str]] = {}
    notes: dict[str, dict[int, str]] = {}
    for name in rules.NAMES:
        picks = [rules.apply(name, lr, row) for row in loss]
        reasons[name] = {
            int(seed): pick.reason
            for seed, pick in zip(seeds, picks, strict=True)
            if not np.isfinite(pick.lr)
        }
        notes[name] = {
            int(seed): pick.note for seed, pick in zip(seeds, picks, strict=True) if pick.note
        }
    return RangeTest(lr, loss, np.asarray(seeds), kind, split, reasons, mode, notes=notes)


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
    last = max(1, len(rows) // 10) if split == "train" else 1
    return rows[-last:].mean(0).T
