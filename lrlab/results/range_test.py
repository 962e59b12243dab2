"""What `lrlab.range_test` gives back: its curves, what rules suggest, a figure, a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrlab.core.frames import data_frame, dataset
from lrlab.core.text import JsonObject, counted
from lrlab.report.content import tidy
from lrlab.report.figures.range_test import draw_range_test
from lrlab.report.html import cards
from lrlab.search import rules
from lrlab.search.range_test import ADVICE, RangeCurves, middle
from lrlab.search.rules.own import Rule

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure


class RangeTest(NamedTuple):
    """A finished range test. Print it, or plot it.

    `lr` f64[N] ascending; `loss` f[seeds, N], nan after divergence; `seeds` int[seeds]; `reasons`
    rule -> seed -> why it suggests nothing, for every registered rule; `run` its folder; `curves`
    all that was measured (`lrlab.search.range_test.RangeCurves`).
    """

    curves: RangeCurves
    run: str | None = None

    @property
    def lr(self) -> np.ndarray:
        """The rates of the ladder, f64[N]."""
        return self.curves.lr

    @property
    def loss(self) -> np.ndarray:
        """The loss at each rate, f[seeds, N]."""
        return self.curves.loss

    @property
    def seeds(self) -> np.ndarray:
        """int[seeds]."""
        return self.curves.seeds

    @property
    def kind(self) -> str:
        """How rates are tried: "ramp" or "parallel"."""
        return self.curves.kind

    @property
    def split(self) -> str:
        """Whose loss it is."""
        return self.curves.split

    @property
    def mode(self) -> str:
        """How the rates are spaced: "exponential" or "linear"."""
        return self.curves.mode

    @property
    def reasons(self) -> Mapping[str, Mapping[int, str]]:
        """Rule -> seed -> why it suggests nothing."""
        return self.curves.reasons

    @property
    def notes(self) -> Mapping[str, Mapping[int, str]]:
        """Rule -> seed -> what to know of a pick."""
        return self.curves.notes

    @property
    def remark(self) -> str:
        """What stands before all else; "" for nothing."""
        return self.curves.remark

    @property
    def sentence(self) -> str:
        """How far the rules agree, with one another and between seeds; or the `remark`."""
        return self.curves.sentence

    def suggest(self, rule: str | Rule = "valley") -> np.ndarray:
        """One learning rate per seed, f64[seeds]; nan where the rule sees none (see `reasons`).

        Args:
            rule: a name (`lrlab ls rules`), or a function `rule(lr, loss) -> float` that is asked
                for each seed: `lr` f64[N] ascending, `loss` f64[N] as measured, nan after
                divergence. nan or None where it sees no rate, which a warning says.

        Raises:
            ValueError: no such rule; or the function fails, or gives no positive number.

        >>> from lrlab.search.range_test import range_test
        >>> lr, loss = np.geomspace(1e-3, 1.0, 4), np.array([[3.0, 2.0, 1.0, 9.0]])
        >>> test = RangeTest(range_test(lr, loss, np.array([0]), "ramp", "train"))
        >>> test.suggest(lambda lr, loss: lr[loss.argmin()] / 10).round(6).tolist()
        [0.01]
        """
        return self.curves.suggest(rule)

    def suggestions(self) -> dict[str, list[float]]:
        """Every rule's learning rates, one per seed."""
        return self.curves.suggestions()

    def spread(self, rule: str | Rule = "valley") -> float:
        """Largest over smallest suggestion between seeds; nan where fewer than two are there."""
        return self.curves.spread(rule)

    def remarks(self) -> list[str]:
        """What is to be known of the picks, a line for all rules that it is true of."""
        return self.curves.remarks()

    def payload(self) -> JsonObject:
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

    def to_pandas(self, per: str = "rate") -> pandas.DataFrame:
        """One row per seed and rate with its loss; `per` "rule": one row per rule and seed with
        its suggestion (nan: none) and the reason where there is none.

        Raises:
            ImportError: pandas is not installed. ValueError: another `per`.

        >>> from lrlab.search.range_test import range_test
        >>> lr, loss = np.geomspace(1e-3, 1.0, 4), np.array([[3.0, 2.0, 1.0, 9.0]])
        >>> test = RangeTest(range_test(lr, loss, np.array([0]), "ramp", "train"))
        >>> test.to_pandas().shape
        (4, 3)
        """
        return data_frame(tidy.range_table(self.curves, per))

    def to_xarray(self) -> xarray.Dataset:
        """The curves and every rule's suggestions, dims seed, lr and rule.

        Raises:
            ImportError: xarray is not installed.
        """
        picks = self.suggestions()
        return dataset(
            {
                "loss": (("seed", "lr"), self.loss),
                "suggestion": (("rule", "seed"), [*picks.values()]),
            },
            {"seed": self.seeds, "lr": self.lr, "rule": list(picks)},
            {"kind": self.kind, "split": self.split, "mode": self.mode},
        )

    def _repr_html_(self) -> str:
        return cards.range_card(self.curves)

    def plot(self, theme: str = "light") -> Figure:
        """The curves of all seeds over the learning rate and every rule's picks below them."""
        return draw_range_test(self.curves, theme=theme)

    def __repr__(self) -> str:
        return (
            f"RangeTest({self.kind}, {self.split} loss: {len(self.lr)} rates from "
            f"{self.lr[0]:.2g} to {self.lr[-1]:.2g}, {counted(len(self.seeds), 'seed')})"
        )

    def __str__(self) -> str:
        lines = [
            f"Range test ({self.kind}, {self.split} loss): {len(self.lr)} rates from "
            f"{self.lr[0]:.2g} to {self.lr[-1]:.2g}, {counted(len(self.seeds), 'seed')}",
            "  rule                       median   between seeds",
        ]
        for name in rules.NAMES:
            picks = self.suggest(name)
            some = picks[np.isfinite(picks)]
            if not len(some):
                why = next(iter(self.reasons.get(name, {}).values()), "no suggestion")
                lines.append(f"  {name:24} {'-':>8}   {why}")
                continue
            lines.append(
                f"  {name:24} {middle(some):>8.2g}   {some.min():.2g} to {some.max():.2g}"
                + (f", none for {len(picks) - len(some)}" if len(some) < len(picks) else "")
            )
        return "\n".join([*lines, *self.remarks(), self.sentence, ADVICE])
