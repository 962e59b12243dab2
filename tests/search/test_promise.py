"""What an answer promises, from curves that are given: pick, interval, confidence, resolution."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.search.find import confidence_of, doubtful, sure
from lrlab.search.gaussian_process import saturated
from lrlab.search.posterior import Posterior
from lrlab.search.promise import promise_of, stated_promise
from lrlab.search.settings import DEFAULTS

CAP = 0.2
X = np.linspace(-4, 0, 401)


def posterior(*regrets, safe=None, eligible=None) -> Posterior:
    """One possible curve for each function of log10 of the rate, from 1e-4 to 1."""
    curves = saturated(np.array([regret(X) for regret in regrets], np.float64), CAP)
    every = np.ones(len(X), bool)
    return Posterior(
        10**X, curves, curves.mean(0), every if safe is None else safe(X),
        every if eligible is None else eligible(X), CAP, 0.01, 0.01,
    )  # fmt: skip


def bowl(best: float, steepness: float = 0.04):
    return lambda x: steepness * (x - best) ** 2


@pytest.mark.parametrize("tolerance", [0.001, 0.01, 0.05])
def test_without_doubt_the_interval_ends_at_the_tolerance(tolerance: float) -> None:
    promise = promise_of(posterior(bowl(-2)), tolerance, 0.9)
    width = np.sqrt(tolerance / 0.04)
    ends = X[promise.low], X[promise.high]
    assert ends == pytest.approx((-2 - width, -2 + width), abs=0.03)
    assert X[promise.pick] == pytest.approx(-2, abs=0.03)
    assert promise.confidence > 0.7 and promise.resolved < tolerance


def test_the_pick_stands_in_the_middle_of_a_plain() -> None:
    plain = posterior(lambda x: np.where((x > -3) & (x < -1), 0.0, 1.0))
    promise = promise_of(plain, 0.01, 0.9)
    assert X[promise.pick] == pytest.approx(-2, abs=0.02)


def test_confidence_is_the_share_of_curves_in_which_the_pick_is_good() -> None:
    near, far = bowl(-2), bowl(-0.5, 0.1)
    promise = promise_of(posterior(*[near] * 16, *[far] * 4), 0.01, 0.9)
    assert promise.confidence == pytest.approx(16.5 / 21)
    assert promise.resolved > 0.1  # one curve of five says that it costs 0.225
    sure = promise_of(posterior(*[near] * 19, far), 0.01, 0.9)
    assert sure.confidence >= 0.9 and sure.resolved <= 0.01


def test_confidence_reaches_the_goal_where_the_tolerance_is_resolved() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        centers = random.normal(-2, random.uniform(0.05, 1.0), 64)
        promise = promise_of(posterior(*map(bowl, centers)), 0.01, 0.9)
        if abs(promise.resolved - 0.01) > 1e-3:
            assert (promise.confidence >= 0.9 - 1 / 65) == (promise.resolved <= 0.01)


def test_what_is_not_resolved_widens_the_interval() -> None:
    wide = promise_of(posterior(*[bowl(c) for c in (-3, -2.5, -2, -1.5, -1)] * 4), 0.001, 0.9)
    assert wide.resolved > 0.02
    assert X[wide.high] - X[wide.low] > 1


def test_neither_pick_nor_interval_go_where_a_lane_failed() -> None:
    cliff = posterior(lambda x: 0.01 * np.abs(x + 1), safe=lambda x: x < -1.5)
    promise = promise_of(cliff, 0.01, 0.9)
    assert X[promise.pick] < -1.5 and X[promise.high] < -1.5


def test_a_rate_with_one_seed_is_not_picked() -> None:
    lucky = posterior(bowl(-1), eligible=lambda x: x < -1.4)
    assert X[promise_of(lucky, 0.001, 0.9).pick] < -1.4


def test_a_search_is_not_sure_of_an_end_of_the_range_nor_without_noise_or_goal() -> None:
    inside, falling = posterior(*[bowl(-2)] * 320), posterior(*[lambda x: -0.2 * x] * 320)
    said = [confidence_of(one) for one in (inside, falling)]
    assert min(said) > 0.9
    assert sure(inside, said[0], DEFAULTS) and not sure(falling, said[1], DEFAULTS)
    assert not sure(inside, said[0], DEFAULTS._replace(confidence=None))
    assert confidence_of(inside._replace(measured=False)) is None
    assert not sure(inside, None, DEFAULTS)


def test_a_search_that_is_sure_of_its_pick_alone_does_not_stop() -> None:
    """A bottom from 10^-3.2 to nobody knows where: its beginning is good in every curve."""
    curves = [
        lambda x, end=end: np.where((x > -3.2) & (x < end), 0.0, 1.0)
        for end in np.linspace(-2.5, -0.2, 24)
    ]
    unknown = posterior(*curves)
    promise = promise_of(unknown, 0.01, 0.9)
    assert promise.confidence > 0.9 and 0.3 < promise.right < 0.8
    assert doubtful(promise, DEFAULTS)
    assert not sure(unknown, promise.confidence, DEFAULTS, promise.right)
    assert sure(unknown, promise.confidence, DEFAULTS, 0.8)
    known = promise_of(posterior(curves[-1]), 0.01, 0.5)
    assert known.right == 1.0 and not doubtful(known, DEFAULTS._replace(confidence=0.5))


def test_where_no_interval_is_probable_enough_the_tolerance_grows() -> None:
    """Valleys in many places: at the pick's own resolution no interval is right in most."""
    random = np.random.default_rng(1)
    curves = posterior(*[bowl(center) for center in random.normal(-2, 0.6, 60)])
    promise = promise_of(curves, 0.001, 0.9)
    assert promise.resolved > 0.001 and promise.right < 0.95
    stated = stated_promise(curves, promise, 0.001, 0.95, 500.0)
    assert stated.right >= 0.95 and stated.resolved > promise.resolved
    assert stated.low <= promise.low and promise.high <= stated.high
    assert (stated.pick, stated.confidence) == (promise.pick, promise.confidence)
    # Nothing grows where the interval is probable enough, or beyond the coarsest.
    assert stated_promise(curves, promise, 0.001, promise.right, 500.0) == promise
    assert stated_promise(curves, promise, 0.001, 0.95, 1.0) == promise
    some = stated_promise(curves, promise, 0.001, 0.95, 1.3)
    assert promise.resolved < some.resolved <= 1.3 * promise.resolved


def test_the_tolerance_grows_for_the_interval_where_the_pick_is_sure() -> None:
    """Bottoms in one place, as steep as it happens: the pick is good, the ends are unknown."""
    curves = posterior(*[bowl(-2, steep) for steep in np.geomspace(0.001, 2, 60)])
    promise = promise_of(curves, 0.01, 0.9)
    assert promise.resolved <= 0.01 and promise.right < 0.95
    stated = stated_promise(curves, promise, 0.01, 0.95, 3.0)
    assert stated.right > promise.right and 0.01 < stated.resolved <= 0.03


def test_where_no_tolerance_is_enough_the_likeliest_interval_is_stated() -> None:
    random = np.random.default_rng(1)
    curves = posterior(*[bowl(center) for center in random.normal(-2, 0.6, 60)])
    promise = promise_of(curves, 0.001, 0.9)
    stated = stated_promise(curves, promise, 0.001, 2.0, 500.0)
    assert stated.right > promise.right
    assert stated.resolved <= 500 * promise.resolved


def test_lanes_that_only_failed_nearby_count_as_unlucky_where_they_leave_nothing() -> None:
    random = np.random.default_rng(1)
    curves = posterior(
        *[bowl(center) for center in random.normal(-2, 0.6, 60)],
        safe=lambda x: np.abs(x + 2) < 0.03,
    )
    promise = promise_of(curves, 0.001, 0.9)
    held = stated_promise(curves, promise, 0.001, 0.8, 500.0)
    assert held.right < 0.8 and X[held.high] - X[held.low] < 0.06
    free = stated_promise(curves._replace(stable=np.ones(len(X), bool)), promise, 0.001, 0.8, 500.0)
    assert free.right >= 0.8 and X[free.high] - X[free.low] > 0.5
    diverged = X < -1.9  # a lane diverged above
    ended = stated_promise(curves._replace(stable=diverged), promise, 0.001, 0.8, 500.0)
    assert X[ended.high] <= -1.9 and ended.right > held.right
