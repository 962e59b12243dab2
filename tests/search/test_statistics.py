"""Every statistic against brute force or a closed form."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from lrlab.search import statistics as s
from lrlab.search.best_of import EFFECT_SCALE

X = np.array([3.0, 1.0, 4.0, 1.5, 5.0, 9.0])


@pytest.mark.parametrize("trials", [1, 2, 3])
def test_expected_best_by_enumeration(trials):
    drawn = list(itertools.product(X, repeat=trials))
    assert s.expected_best(X, trials) == pytest.approx(np.mean([min(d) for d in drawn]))
    without = list(itertools.permutations(X, trials))
    assert s.expected_best(X, trials, replacement=False) == pytest.approx(
        np.mean([min(d) for d in without])
    )


def test_mean_interval_covers_as_often_as_it_says():
    random = np.random.default_rng(0)
    hits = [
        (i := s.mean_interval(random.normal(1.0, 2.0, 5))).low <= 1.0 <= i.high for _ in range(2000)
    ]
    assert 0.935 < np.mean(hits) < 0.965


def test_median_interval_covers_at_least_as_often():
    random = np.random.default_rng(0)
    hits = [
        (i := s.median_interval(random.exponential(1.0, 20))).low <= np.log(2) <= i.high
        for _ in range(2000)
    ]
    assert np.mean(hits) > 0.94


def test_paired_comparison_is_the_t_test():
    a, b = X, X[::-1] * 1.1
    found = s.paired_comparison(a, b)
    assert found.p_value == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert found.effect_size == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
    assert s.paired_comparison(a, a).p_value == 1.0


def test_sensitivity_of_a_tent():
    # min(score, 3) over log lr is a triangle from 3 to 1 to 3: mean 2, best 1.
    assert s.learning_rate_sensitivity([0.1, 1, 10], [3, 1, 3], 9.0, 0.1, 10) == pytest.approx(1.0)
    assert s.learning_rate_sensitivity([0.1, 1, 10], [5, 5, 5], 2.0, 0.1, 10) == 0.0


def test_probability_best_of_equals_is_shared():
    random = np.random.default_rng(0)
    shares = s.probability_best(random.normal(size=(3, 400)))
    assert shares.sum() == pytest.approx(1.0) and (shares >= 0).all()
    assert s.probability_best([[1.0, 1.0], [1.0, 1.0]]).tolist() == [0.5, 0.5]


def test_power_law_recovers_its_exponent():
    x = np.array([1.0, 2, 4, 8, 16])
    noisy = 3 * x**-0.5 * np.exp(0.01 * np.array([1, -1, 1, -1, 1]))
    fit = s.power_law(x, noisy)
    assert fit.exponent.low < -0.5 < fit.exponent.high
    assert fit.coefficient == pytest.approx(3, rel=0.05)


def test_seeds_needed_is_the_least_that_suffices():
    spread = np.std([0.1, -0.1, 0.1, -0.1], ddof=1)
    n = s.seeds_needed([0.1, -0.1, 0.1, -0.1], 0.05)
    half = [stats.t.ppf(0.975, k - 1) * spread / np.sqrt(k) for k in (n - 1, n)]
    assert half[0] > 0.05 >= half[1]


@pytest.mark.parametrize("values", [[], [np.nan], [1.0, np.inf]])
def test_values_that_are_not_finite_are_refused(values):
    with pytest.raises(ValueError, match=r"values: .* (needed|not finite)"):
        s.mean_interval(values)


def test_probability_best_of_two_by_the_integral():
    """Rouder et al. 2009: noncentral t likelihood, Cauchy prior on the standardized difference."""
    scores = np.array([[1.0, 1.3, 0.8], [1.4, 1.5, 1.5]])
    d = scores[1] - scores[0]
    t = d.mean() / (d.std(ddof=1) / np.sqrt(3))
    size = np.linspace(-12, 12, 4801)
    weight = stats.nct.pdf(t, 2, size * np.sqrt(3)) * stats.cauchy.pdf(size, 0, EFFECT_SCALE)
    wanted = weight[size > 0].sum() / weight.sum()
    assert s.probability_best(scores, draws=40_000)[0] == pytest.approx(wanted, abs=0.01)


def test_skewed_intervals_reach_further_on_the_long_side():
    skewed = [1.0, 1.1, 1.2, 1.0, 4.0]
    plain, wide = s.mean_interval(skewed), s.skewed_interval(skewed)
    assert wide.low == plain.low and wide.high > plain.high + 1
    mirrored = s.skewed_interval([-x for x in skewed])
    assert mirrored == pytest.approx((-wide.value, -wide.high, -wide.low))
    even = [1.0, 2.0, 3.0]
    assert s.skewed_interval(even) == s.mean_interval(even)
    assert s.skewed_interval([1.0, 2.0]) == s.mean_interval([1.0, 2.0])


def test_sensitivity_over_the_grid_is_a_mean():
    lr, score = [0.01, 0.1, 1.0, 10.0], [2.0, 1.0, 1.5, 9.0]
    found = s.learning_rate_sensitivity(lr, score, 5.0, 0.01, 10.0, average="grid")
    assert found == pytest.approx(np.mean([2.0, 1.0, 1.5, 5.0]) - 1.0)
    inside = s.learning_rate_sensitivity(lr, score, 5.0, 0.05, 5.0, average="grid")
    assert inside == pytest.approx(np.mean([1.0, 1.5]) - 1.0)
    with pytest.raises(ValueError, match=r'average must be "integral" or "grid"'):
        s.learning_rate_sensitivity(lr, score, 5.0, 0.01, 10.0, average="mean")


def test_rank_stability_counts_pairs():
    early, late = [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 3.0, 2.0, 5.0, 4.0]
    pairs = list(itertools.combinations(range(5), 2))
    agree = sum((early[i] - early[j]) * (late[i] - late[j]) > 0 for i, j in pairs)
    assert s.rank_stability(early, late) == pytest.approx((2 * agree - len(pairs)) / len(pairs))


def test_tunability_by_enumeration():
    budgets = 3
    best = [
        np.mean([min(draw) for draw in itertools.product(X, repeat=k)])
        for k in range(1, budgets + 1)
    ]
    wanted = (3 * best[0] + 2 * best[1] + 1 * best[2]) / 6
    assert s.tunability(X, budgets=budgets) == pytest.approx(wanted)


def test_power_law_interval_covers_as_often_as_it_says():
    random, x = np.random.default_rng(0), np.array([1.0, 2, 4, 8, 16, 32])
    hits = []
    for _ in range(1000):
        y = 2 * x**-0.7 * np.exp(0.1 * random.normal(size=6))
        exponent = s.power_law(x, y).exponent
        hits.append(exponent.low <= -0.7 <= exponent.high)
    assert 0.93 < np.mean(hits) < 0.97


def test_sensitivity_against_a_fine_sum():
    lr, score = np.geomspace(1e-4, 1.0, 33), np.linspace(3.0, 1.0, 33) ** 2
    fine = np.geomspace(1e-3, 0.1, 200_001)
    values = np.minimum(np.interp(np.log(fine), np.log(lr), np.minimum(score, 5.0)), 5.0)
    wanted = values.mean() - values.min()
    found = s.learning_rate_sensitivity(lr, score, 5.0, 1e-3, 0.1)
    assert found == pytest.approx(wanted, rel=1e-4)
