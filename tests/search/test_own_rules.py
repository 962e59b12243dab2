"""A rule of one's own: any function of a range test's curve."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lrlab.results.range_test import RangeTest
from lrlab.search import rules
from lrlab.search.range_test import range_test
from lrlab.search.rules import robust

LR = np.geomspace(1e-5, 10, 60)


def made_up() -> RangeTest:
    x = np.log10(LR)
    curve = 2.3 - 1.8 / (1 + np.exp(-4 * (x + 2))) + np.exp(np.minimum(6 * (x - 0.2), 20))
    losses = np.stack([curve, curve[::-1]])
    return RangeTest(range_test(LR, losses, np.array([3, 4]), "ramp", "train"))


def test_one_rate_per_seed() -> None:
    seen = []

    def steepest(lr, loss):
        seen.append((lr.shape, lr.dtype, loss.shape, loss.dtype))
        return lr[np.gradient(loss, np.log(lr)).argmin()] / 10

    made = made_up()
    found = made.suggest(steepest)
    wanted = [LR[np.gradient(row, np.log(LR)).argmin()] / 10 for row in made.loss]
    assert found.dtype == np.float64 and found.tolist() == wanted
    assert seen == [((60,), np.float64, (60,), np.float64)] * 2
    assert made.spread(steepest) == pytest.approx(max(wanted) / min(wanted))
    assert made.suggest(lambda lr, loss: np.float32(0.5)).tolist() == [0.5, 0.5]
    assert made.suggest(lambda lr, loss: np.array([1])).tolist() == [1.0, 1.0]


def test_a_rule_of_the_library_may_be_handed_over_too() -> None:
    made = made_up()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = made.suggest(robust.lowest)
    np.testing.assert_array_equal(found, made.suggest("lowest"))


def test_the_curves_stay_as_they_were() -> None:
    def rude(lr, loss):
        lr[:] = 1
        loss[:] = 0
        return 0.1

    made = made_up()
    before = made.lr.copy(), made.loss.copy()
    made.suggest(rude)
    np.testing.assert_array_equal(made.lr, before[0])
    np.testing.assert_array_equal(made.loss, before[1])


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float32("nan")])
def test_no_rate_is_nan_and_said(nothing: object) -> None:
    made = made_up()
    given = iter([nothing, 0.1])
    with pytest.warns(UserWarning, match="rule '<lambda>' suggests no learning rate for seed 3"):
        found = made.suggest(lambda lr, loss: next(given))
    assert np.isnan(found[0]) and found[1] == 0.1


@pytest.mark.parametrize("rate", [1e-9, 50.0])
def test_rates_that_were_not_tried_are_said(rate: float) -> None:
    with pytest.warns(UserWarning, match="outside the rates that were tried, 1e-05 to 10"):
        assert made_up().suggest(lambda lr, loss: rate).tolist() == [rate] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made_up().suggest(lambda lr, loss: lr[0] / 10)


def fails(lr, loss):
    return loss[1000]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (fails, r"rule 'fails' failed for seed 3: IndexError: .*called as rule\(lr, loss\)"),
        (lambda lr: 0.1, r"rule '<lambda>' failed for seed 3: TypeError"),
        (lambda lr, loss: lr, r"one learning rate, a number; for seed 3 it gave an array of shape"),
        (lambda lr, loss: "0.1", r"must give one learning rate, a number; .* gave '0.1'"),
        (lambda lr, loss: True, r"must give one learning rate, a number; .* gave True"),
        (lambda lr, loss: 0, r"gave 0 for seed 3; a learning rate is above 0"),
        (lambda lr, loss: -0.1, r"gave -0.1 for seed 3"),
        (lambda lr, loss: np.inf, r"gave inf for seed 3; .* finite"),
    ],
)
def test_what_is_no_learning_rate_is_named(rule, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made_up().suggest(rule)


def test_what_is_neither_a_name_nor_a_function() -> None:
    for wrong in (5, None, "vally"):
        with pytest.raises(ValueError, match="there is no rule"):
            made_up().suggest(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="did you mean 'valley'"):
        rules.apply("vally", LR, LR)


def test_fastais_own_suggestions_work() -> None:
    """Its functions take `num_it` and give the rate beside its place in the plot."""
    counts = []

    def steep(lrs, losses, num_it):
        counts.append(num_it)
        place = int(np.nanargmin(losses))
        return float(lrs[place]), (float(lrs[place]), losses[place])

    made = made_up()
    assert made.suggest(steep).tolist() == [LR[np.nanargmin(row)] for row in made.loss]
    assert counts == [60, 60]
