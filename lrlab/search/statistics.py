"""Statistics over seeds and learning rates; NumPy float64, values that are not finite refused.

Scores are to be minimized unless said otherwise. SciPy's distributions are imported where they are
needed: that takes longer than everything else that a command starts with.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lrlab.search.best_of import probability_best as probability_best
from lrlab.search.differences import rounding

SKEW_FACTOR = 1.5
"""What a sample's skewness is multiplied by: of a few values from a skewed distribution it comes
out too small (`experiments/calibration.py`)."""


class Interval(NamedTuple):
    """An estimate and its two-sided confidence interval."""

    value: float
    low: float
    high: float


class Paired(NamedTuple):
    """A paired comparison of a minus b: mean difference with its interval at `confidence`, p value
    (t test of this pair alone), and the effect size d = mean / standard deviation of the
    differences (Cohen's d_z)."""

    difference: Interval
    p_value: float
    effect_size: float
    confidence: float = 0.95


def _checked(values: ArrayLike, name: str = "values", least: int = 1) -> np.ndarray:
    array = np.asarray(values, np.float64).ravel()
    if array.size < least:
        raise ValueError(f"{name}: at least {least} needed, got {array.size}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: {int((~np.isfinite(array)).sum())} are not finite")
    return array


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean with Student's t interval: mean +- t(n - 1) s / sqrt(n); infinite for one value.

    >>> interval = mean_interval([1.0, 2.0, 3.0])
    >>> round(interval.low, 3), round(interval.high, 3)
    (-0.484, 4.484)
    """
    from scipy import stats

    x = _checked(values)
    if len(x) == 1:
        return Interval(float(x[0]), -np.inf, np.inf)
    half = stats.t.ppf(0.5 + confidence / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half))


def median_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Median with the distribution-free interval from order statistics: the narrowest symmetric
    [x_(k), x_(n+1-k)] whose binomial coverage is at least `confidence`; the range where none is.

    >>> median_interval(range(1, 11))
    Interval(value=5.5, low=2.0, high=9.0)
    """
    from scipy import stats

    x = np.sort(_checked(values))
    n, k = len(x), 1
    while k + 1 <= n // 2 and 1 - 2 * stats.binom.cdf(k, n, 0.5) >= confidence:
        k += 1
    return Interval(float(np.median(x)), float(x[k - 1]), float(x[n - k]))


def paired_comparison(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Paired:
    """Two settings on the same seeds; negative differences favor `a`. Differences that are no more
    than rounding at the level of the values are none.

    The interval is `skewed_interval`'s. With two seeds it is Student's t alone: they show no skew.

    >>> paired_comparison([1.0, 2.0, 3.0], [2.0, 3.1, 3.9]).difference.high < 0
    True
    """
    from scipy import stats

    x, y = _checked(a, "a", 2), _checked(b, "b", 2)
    if len(x) != len(y):
        raise ValueError(f"paired values must be as many: {len(x)} and {len(y)}")
    difference, least = x - y, rounding(np.concatenate([x, y]))
    if np.ptp(difference) <= least:  # nothing but a shift, which rounding must not blur
        same = float(difference.mean()) if abs(difference.mean()) > least else 0.0
        difference = np.full(len(difference), same)
    spread = difference.std(ddof=1)
    if np.ptp(difference) == 0:
        p = 1.0 if difference[0] == 0 else 0.0
        effect = 0.0 if difference[0] == 0 else float(np.sign(difference[0]) * np.inf)
    else:
        p = float(stats.ttest_rel(x, y).pvalue)
        effect = float(difference.mean() / spread)
    return Paired(skewed_interval(difference, confidence), p, effect, confidence)


def skewed_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean with an interval for values that may be skewed: Student's t interval, made as wide as
    Hall's on either side where that reaches further.

    Losses are often skewed, and t intervals of five then cover 82 % to 92 % rather than 95 %. Hall
    (1992, J. R. Stat. Soc. B 54:221) takes the skewness out of the t statistic T,

        W = T + a T^2 / 3 + a^2 T^3 / 27 + a / 6,    a = skewness / sqrt(n),

    and the interval holds the means with W within the quantiles of t(n - 1). The skewness is the
    unbiased sample's times `SKEW_FACTOR`.

    >>> interval = skewed_interval([1.0, 1.1, 1.2, 1.0, 4.0])
    >>> round(interval.low, 1), round(interval.high, 1)
    (0.0, 4.6)
    """
    from scipy import stats

    x = _checked(values)
    plain, n = mean_interval(x, confidence), len(x)
    error = 0.0 if n < 3 else float(x.std(ddof=1)) / np.sqrt(n)
    if error == 0:
        return plain
    skewness = SKEW_FACTOR * float(stats.skew(x, bias=False))
    a, limit = skewness / np.sqrt(n), float(stats.t.ppf(0.5 + confidence / 2, n - 1))
    if not np.isfinite(a) or abs(a) < 1e-9:
        return plain
    ends = [3 / a * (np.cbrt(1 + a * (w - a / 6)) - 1) for w in (limit, -limit)]
    low, high = (float(x.mean() - end * error) for end in ends)
    return Interval(plain.value, min(plain.low, low), max(plain.high, high))


def learning_rate_sensitivity(
    lr: ArrayLike,
    score: ArrayLike,
    initial: float,
    low: float,
    high: float,
    average: str = "integral",
) -> float:
    """How much worse than the best training is on average, for rates in [low, high]: the mean of
    min(score, initial) minus the best of it (Wortsman et al. 2023, arXiv 2309.14322).

    Args:
        lr: f64[L], in any order, positive.
        score: f64[L], to be minimized (of a rate that diverged `initial`).
        average: "integral", the default: over log LR, of the curve that is linear between the given
            rates; it does not depend on where rates were tried. "grid": over the given rates in
            [low, high] alone, as the published figures are; rates at the ends count in full.

    Raises:
        ValueError: [low, high] reaches beyond the rates, holds none of them, or another `average`.

    >>> lr, score = [0.01, 0.1, 1.0], [2.0, 1.0, 2.0]
    >>> learning_rate_sensitivity(lr, score, 5.0, 0.01, 1.0)
    0.5
    >>> round(learning_rate_sensitivity(lr, score, 5.0, 0.01, 1.0, average="grid"), 3)
    0.667
    """
    if average not in ("integral", "grid"):
        raise ValueError(f'average must be "integral" or "grid", got {average!r}')
    x, y = np.log10(_checked(lr, "lr", 2)), _checked(score, "score", 2)
    order = np.argsort(x)
    best = min(float(y.min()), initial)  # only differences count: no digits go into the level
    x, y = x[order], np.minimum(y[order], initial) - best
    ends = np.log10([low, high])
    if not (x[0] <= ends[0] + 1e-12 and ends[1] - 1e-12 <= x[-1] and ends[0] < ends[1]):
        raise ValueError(f"[{low}, {high}] must lie within the given rates")
    if average == "grid":
        inside = y[(x >= ends[0] - 1e-12) & (x <= ends[1] + 1e-12)]
        if not inside.size:
            raise ValueError(f"[{low}, {high}] holds none of the given rates")
        return float(inside.mean() - inside.min())
    inside = x[(x > ends[0]) & (x < ends[1])]
    places = np.concatenate([ends[:1], inside, ends[1:]])
    values = np.interp(places, x, y)
    return float(np.trapezoid(values, places) / (ends[1] - ends[0]) - values.min())


def expected_best(values: ArrayLike, trials: int, replacement: bool = True) -> float:
    """The expected minimum of `trials` random draws from the observed values (Dodge et al. 2019,
    arXiv 1909.03004), with or without replacement.

    With: sum_i x_(i) [((n - i + 1)/n)^k - ((n - i)/n)^k]; without: weights C(n-i, k-1) / C(n, k).

    >>> expected_best([1.0, 2.0, 3.0], 2, replacement=False)
    1.3333333333333335
    """
    x = np.sort(_checked(values))
    n = len(x)
    if trials < 1 or (not replacement and trials > n):
        raise ValueError(f"trials must be from 1 to {n}, got {trials}")
    if replacement:
        above = ((n - np.arange(n + 1)) / n) ** trials
        return float((x * (above[:-1] - above[1:])).sum())
    left = np.array([_choose_ratio(n, i, trials) for i in range(n + 1)])
    return float((x * (left[:-1] - left[1:])).sum())


def _choose_ratio(n: int, i: int, k: int) -> float:
    """C(n - i, k) / C(n, k): the chance that none of the i smallest is among k draws."""
    ratio = 1.0
    for j in range(k):
        ratio *= max(n - i - j, 0) / (n - j)
    return ratio


def rank_stability(early: ArrayLike, late: ArrayLike) -> float:
    """Kendall's tau between the scores of the same settings at two rungs; 1: the same order.

    >>> rank_stability([1, 2, 3], [10, 20, 30])
    1.0
    """
    from scipy import stats

    tau = stats.kendalltau(_checked(early, "early", 2), _checked(late, "late", 2))
    return float(np.asarray(tau)[0])


def tunability(values: ArrayLike, budgets: int = 10) -> float:
    """Weighted mean over budgets k = 1..K of the expected best of k trials (Sivaprasad et al. 2020,
    arXiv 1910.11758, CPE with weights proportional to K - k + 1).

    >>> tunability([1.0, 1.0, 1.0])
    1.0
    """
    weights = np.arange(budgets, 0, -1, dtype=float)
    best = [expected_best(values, trials) for trials in range(1, budgets + 1)]
    return float(np.dot(weights, best) / weights.sum())


class PowerLaw(NamedTuple):
    """y = coefficient x^exponent, with the exponent's interval."""

    coefficient: float
    exponent: Interval


def power_law(
    x: ArrayLike,
    y: ArrayLike,
    confidence: float = 0.95,
    errors: ArrayLike | None = None,
    freedom: float | None = None,
) -> PowerLaw:
    """Least squares of log y on log x, with an interval for the slope.

    Without `errors` it is Student's t interval from the scatter about the line. With `errors`, the
    standard deviations of log y, points have weights 1 / errors^2, and chi^2 = sum of (residual /
    error)^2 says whether the errors are right. Then the interval is

    - of three points and more without `freedom`: that of the errors, made larger by the Birge ratio
      sqrt(chi^2 / (n - 2)) where the points scatter more (Birge 1932, Phys. Rev. 40:207), with the
      quantile of t(n - 2): it covers though all errors are too small by one factor;
    - of two points without `freedom`: that of the errors as they are, with the normal quantile. Two
      points show no scatter, so the errors given are taken as true; if they are half as large as
      the truth, an interval of 95 % covers 67 %;
    - with `freedom` f, what the errors are worth as an estimate of their own common size (degrees
      of freedom): times sqrt((f + chi^2) / (f + n - 2)), with the quantile of t(f + n - 2).

    Args:
        x, y: f64[n], positive.
        errors: f64[n], positive.

    Raises:
        ValueError: fewer than two points, or points and errors that are not as many or not
            positive.

    >>> round(power_law([1, 2, 4, 8], [3, 6, 12, 24]).exponent.value, 12)
    1.0
    >>> law = power_law([1, 10], [1, 10], errors=[0.1, 0.1])
    >>> round(law.exponent.low, 4), round(law.exponent.high, 4)
    (0.8796, 1.1204)
    """
    from scipy import stats

    a, b = _checked(x, "x", 2), _checked(y, "y", 2)
    if len(a) != len(b) or (a <= 0).any() or (b <= 0).any():
        raise ValueError("a power law needs as many positive x as y")
    u, v, count = np.log(a), np.log(b), len(a)
    sigma = np.ones(count) if errors is None else _checked(errors, "errors", 2)
    if len(sigma) != count or (sigma <= 0).any():
        raise ValueError("errors must be as many as points, and positive")
    weight = (sigma.min() / sigma) ** 2
    center, level = np.average(u, weights=weight), np.average(v, weights=weight)
    across = float((weight * (u - center) ** 2).sum())
    if across == 0:
        raise ValueError("a power law needs two different x")
    slope = float((weight * (u - center) * (v - level)).sum()) / across
    line, deviation = float(level - slope * center), float(sigma.min() / np.sqrt(across))
    chi2, left = float((((v - line - slope * u) / sigma) ** 2).sum()), count - 2
    tail = 0.5 + confidence / 2
    if errors is not None and freedom is not None:
        scale = float(np.sqrt((freedom + chi2) / (freedom + left)))
        half = float(stats.t.ppf(tail, freedom + left)) * deviation * scale
    elif left == 0:
        half = np.inf if errors is None else float(stats.norm.ppf(tail)) * deviation
    else:
        scale = float(np.sqrt(chi2 / left))
        scale = scale if errors is None else max(1.0, scale)
        half = float(stats.t.ppf(tail, left)) * deviation * scale
    return PowerLaw(float(np.exp(line)), Interval(slope, slope - half, slope + half))


def seeds_needed(differences: ArrayLike, precision: float, confidence: float = 0.95) -> int:
    """How many seeds make the half width of the mean's interval at most `precision`, judging by the
    spread of the paired differences seen; at least 2.

    >>> seeds_needed([0.1, -0.1, 0.1, -0.1], 0.05)
    23
    """
    from scipy import stats

    x = _checked(differences, "differences", 2)
    if precision <= 0:
        raise ValueError(f"precision must be positive, got {precision}")
    spread, count = x.std(ddof=1), 2
    while count < 100_000:
        half = stats.t.ppf(0.5 + confidence / 2, count - 1) * spread / np.sqrt(count)
        if half <= precision:
            break
        count += max(1, count // 50)
    return count
