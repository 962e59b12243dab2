"""What a study gives back: the best learning rate of every group, the laws, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrlab.config import Experiment
from lrlab.core import scale as scales
from lrlab.core.frames import data_frame
from lrlab.core.scale import GAIN
from lrlab.core.score import LAST, in_words
from lrlab.core.text import JsonObject, interval, rate
from lrlab.report.content import tidy
from lrlab.report.html import cards
from lrlab.scaling.laws import Group, Law, Transfer, group_of, law_of, sentence_of, transfer_of
from lrlab.types import Answer

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


class Study(NamedTuple):
    """What came of a study; print it. Groups are in the order parametrization, value; `laws` and
    `transfers` have one entry per parametrization, in that order too."""

    axis: str
    metric: str
    groups: tuple[Group, ...]
    laws: tuple[Law, ...]
    transfers: tuple[Transfer, ...]
    sentence: str
    run: str | None = None
    score: str = LAST
    scale: str = GAIN

    @property
    def cost(self) -> float:
        """Full-length runs, each counted in its own group's length."""
        return sum(group.cost for group in self.groups)

    def law(self, parametrization: str = "standard") -> Law:
        """The law of one parametrization.

        Raises:
            KeyError: the study did not have it.
        """
        return {law.parametrization: law for law in self.laws}[parametrization]

    def plot(self) -> Figure:
        """Loss against LR for every value, and the best LR against the value, in Matplotlib."""
        from lrlab.report.figures.study import overview

        return overview(self.payload())

    def to_pandas(self, per: str = "group") -> pandas.DataFrame:
        """One row per group: its value, best rate with its interval, verdict, mean, cost; `per`
        "rate": one row per group and rate that was tried, with the mean over its seeds.

        Raises:
            ImportError: pandas is not installed. ValueError: another `per`.
        """
        return data_frame(tidy.groups(self.payload(), per))

    def _repr_html_(self) -> str:
        return cards.study_card(self.payload())

    def payload(self) -> JsonObject:
        """The JSON object of `lrlab study`."""
        return {
            "run": self.run,
            "axis": self.axis,
            "metric": self.metric,
            **({} if self.score == LAST else {"score": self.score}),
            **({} if self.scale == GAIN else {"scale": self.scale}),
            "sentence": self.sentence,
            "groups": [
                {
                    "value": group.value,
                    "parametrization": group.parametrization,
                    "lr": group.lr,
                    "interval": group.interval,
                    "verdict": group.verdict,
                    "best_mean": None if group.place is None else group.means[group.place],
                    "best": None if group.best is None else float(np.exp(group.best.log)),
                    "log_error": None if group.best is None else group.best.error,
                    "rates": group.rates,
                    "means": group.means,
                    "initial": group.initial,
                    "cost": group.cost,
                    "run": group.run,
                }
                for group in self.groups
            ],
            "laws": [
                {
                    "parametrization": law.parametrization,
                    "coefficient": None if law.fit is None else law.fit.coefficient,
                    "exponent": None if law.fit is None else law.fit.exponent.value,
                    "interval": None if law.fit is None else list(law.fit.exponent[1:]),
                    "trend": law.trend,
                    "used": law.used,
                    "left_out": law.left_out,
                }
                for law in self.laws
            ],
            "transfer": [
                {
                    "parametrization": transfer.parametrization,
                    "base": transfer.base,
                    "lr": transfer.lr,
                    "regret": [{"value": v, "regret": r} for v, r in transfer.regret],
                }
                for transfer in self.transfers
            ],
            "cost": self.cost,
        }

    def __repr__(self) -> str:
        best = ", ".join(f"{group.name}: {rate(group.lr)}" for group in self.groups[:6])
        more = f", {len(self.groups) - 6} more" if len(self.groups) > 6 else ""
        trends = ", ".join(f"{law.parametrization} {law.trend}" for law in self.laws)
        return f"Study({self.axis}, best lr {best}{more}; {trends})"

    def __str__(self) -> str:
        lines = [f"{self.axis:>12}{'best lr':>11}  {'as good':20}{'verdict':10}parametrization"]
        for group in self.groups:
            lr, ends = rate(group.lr), interval(group.interval, rate)
            lines.append(
                f"{group.name:>12}{lr:>11}  {ends:20}{group.verdict:10}{group.parametrization}"
            )
        return "\n".join([*lines, self.sentence])


def concluded(
    experiment: Experiment, answers: Sequence[tuple[object, str, Answer]], run: str | None
) -> Study:
    """The study's laws and sentence from its groups' answers: (value, parametrization, answer)."""
    spec = experiment.study
    assert spec is not None
    groups = tuple(
        group_of(value, kind, answer, _initial(answer), experiment.scale)
        for value, kind, answer in answers
    )
    base = spec.values[0] if spec.base is None else spec.base
    axis = spec.axis.rpartition(".")[2]
    apart = [
        [group for group in groups if group.parametrization == kind]
        for kind in spec.parametrizations
    ]
    laws = tuple(law_of(part) for part in apart)
    transfers = tuple(transfer_of(part, base) for part in apart)
    sentence = sentence_of(axis, laws, transfers)
    if experiment.score != LAST:
        sentence += f" Judged by {in_words(experiment.score, experiment.metric)}."
    if experiment.scale != GAIN:
        sentence += f" {scales.in_words(experiment.scale, experiment.metric)}"
    return Study(
        axis, experiment.metric, groups, laws, transfers, sentence, run, experiment.score,
        experiment.scale,
    )  # fmt: skip


def _initial(answer: Answer) -> float:
    """The metric before training; nan where it is not known (nothing trained)."""
    value = answer.details.get("initial")
    return float("nan") if value is None else float(value)
