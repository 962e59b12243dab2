"""Groups of a study by searches: what their lanes say of the best rate, and which count."""

from __future__ import annotations

import numpy as np
import pytest

import lrlab
from lrlab.scaling import laws
from lrlab.types import Answer


def test_a_seed_that_starts_higher_is_not_the_best() -> None:
    """Seeds of a search differ from rate to rate, and a bad one may score above the mean start."""
    rows = [
        {"lr": lr, "seeds": [0, 1], "scores": [x, None], "outcome": ["ok", "pruned"]}
        for lr, x in ((0.01, 1.9), (0.1, 0.5), (1.0, 0.1), (10.0, 0.6))
    ]
    rows.append({"lr": 100.0, "seeds": [1], "scores": [5.0], "outcome": ["ok"]})
    answer = Answer(1.0, (0.5, 2.0), "interior", "", "valid_loss", 9.0, tuple(rows), None,
                    {"direction": "min"})  # fmt: skip
    one = laws.group_of(16, "standard", answer, 2.0)
    assert one.place == 2 and one.best is not None
    assert np.log(0.1) < one.best.log < np.log(10)
    assert laws.law_of([one, one._replace(value=32)]).left_out == ()


def test_rates_that_a_rung_cut_are_no_edge() -> None:
    def group(value: int, lr: float, means: tuple[float, ...]) -> laws.Group:
        rates = lr * np.array([0.01, 0.1, 1.0, 10.0, 100.0])
        return laws.Group(
            value,
            "standard",
            lr,
            (lr / 2, lr * 2),
            "interior",
            "",
            rates,
            np.array(means),
            2.0,
            9.0,
        )  # fmt: skip

    cut = group(64, 0.01, (0.5, 0.3, 0.1, np.nan, np.nan))
    law = laws.law_of([group(16, 0.04, (1.0, 0.4, 0.1, 0.3, 1.0)), cut])
    assert law.used == (16.0, 64.0) and law.left_out == ()


@pytest.mark.slow
def test_a_law_of_searches_uses_every_interior_group() -> None:
    """The exponent is -1. Estimate and upper end depend on the seeds: of twenty sets of four the
    estimates are -0.68 to -1.46, and 19 intervals of 95 % hold the truth. One set says little: the
    middle estimate of five must be near, all intervals but one must hold the truth (those of the
    first three do), and the middle end of these three must be far from 0."""
    held, values, ends = [], [], []
    for first in (0, 10, 20, 30, 40):
        found = lrlab.study(
            "quadratic", axis="task.largest", values=[1.0, 4.0, 16.0, 64.0], optimizer="sgd",
            steps=60, schedule="constant", seeds=[first + n for n in range(4)],
            precision="float64", progress=False,
        )  # fmt: skip
        law = found.law()
        assert law.used == (1.0, 4.0, 16.0, 64.0) and law.trend == "falls" and law.fit is not None
        held.append(law.fit.exponent.low < -1.0 < law.fit.exponent.high)
        values.append(law.fit.exponent.value)
        ends.append(law.fit.exponent.high)
    assert all(held[:3]) and sum(held) >= 4
    assert np.median(values) == pytest.approx(-1.0, abs=0.15)
    assert np.median(ends[:3]) < -0.4
