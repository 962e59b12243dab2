"""Scores of a history: the last evaluation, the best, the mean of the last few."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.core.score import checked, in_words, running

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("score", ["last", "best", "mean:1", "mean:40"])
def test_what_is_a_score(score) -> None:
    assert checked(score) == score


@pytest.mark.parametrize("score", ["mean", "mean:0", "mean:-1", "mean:1.5", "Best", "", 3, None])
def test_what_is_none(score) -> None:
    with pytest.raises(ValueError, match=r'must be "last".*"best".*"mean:k".*got'):
        checked(score)


def test_the_best_passes_over_what_is_not_finite() -> None:
    curve = np.array([NAN, 3.0, INF, 2.0, NAN])
    np.testing.assert_array_equal(running(curve, "best", "min"), [NAN, 3, 3, 2, 2])
    np.testing.assert_array_equal(running(curve, "best", "max"), [NAN, 3, 3, 3, 3])


def test_a_mean_takes_as_many_as_there_are() -> None:
    curve = np.array([[1.0], [2.0], [6.0], [NAN]])
    np.testing.assert_array_equal(running(curve, "mean:2", "min")[:, 0], [1, 1.5, 4, NAN])
    np.testing.assert_array_equal(running(curve, "mean:99", "max")[:3, 0], [1, 1.5, 3])


def test_one_evaluation_is_no_plural() -> None:
    assert in_words("mean:1", "valid_loss") == "valid_loss averaged over the last evaluation"
