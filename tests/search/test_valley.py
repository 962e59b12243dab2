"""Valleys that agree with lanes: what is found is what is there, and no narrower."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.search.gaussian_process import Observations, draw_curves, saturated
from lrlab.search.settings import DEFAULTS
from lrlab.search.valley import Whitening, sampled

CAP = 0.2
PRIORS = DEFAULTS.posterior.priors
GRID = np.linspace(-6, 1, 141)


def plain(x: np.ndarray) -> np.ndarray:
    """A bottom from 10^-3 to 10^-1.5 between walls, as regret."""
    return 0.3 * np.maximum(-3 - x, 0) ** 2 + 5 * np.maximum(x + 1.5, 0) ** 2


def lanes(noise: float, seed: int = 0, places=None) -> Observations:
    random = np.random.default_rng(seed)
    x = np.linspace(-6, 1, 15) if places is None else np.asarray(places, float)
    x = np.concatenate([x, np.linspace(-3.2, -1.4, 7), np.linspace(-3.1, -1.6, 4)])
    owner = np.repeat([0, 1, 2], [len(x) - 11, 7, 4])
    shared = 2 * noise * random.standard_normal(3)[owner]
    y = plain(x) + shared + noise * random.standard_normal(len(x))
    return Observations(x, owner, saturated(y, CAP), np.zeros(len(x)))


def whitening(noise: float, count: int) -> list[Whitening]:
    return [Whitening(np.eye(count) / noise, 0.0)]


def test_shape_is_recovered_from_lanes_almost_without_noise() -> None:
    x = np.linspace(-6, 1, 57)
    found = sampled(
        x, saturated(plain(x), CAP), CAP, whitening(0.001, 57), -2.0, (-6.0, 1.0),
        np.random.default_rng(0),
    )  # fmt: skip
    logs = np.logaddexp.reduce(found.logs, 0)
    weights = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    middle, width, left, right = weights @ found.shape
    np.testing.assert_allclose([middle, np.exp(width)], [-2.25, 1.5], atol=0.1)
    np.testing.assert_allclose([left, right], np.log([0.3, 5.0]), atol=0.4)
    assert found.effective > 1


def test_evidence_is_that_of_a_grid() -> None:
    """One lane at the bottom of any valley around it: the likelihood is 1 wherever it counts."""
    x = np.array([-2.0])
    found = sampled(
        x, np.zeros(1), CAP, whitening(100.0, 1), -2.0, (-6.0, 1.0), np.random.default_rng(0)
    )
    assert found.evidence == pytest.approx(0.0, abs=0.3)  # the prior's own weight is 1


def test_bottoms_are_as_wide_as_the_truth() -> None:
    widths = []
    for root in range(6):
        curves = draw_curves(lanes(0.005, root), CAP, 0.005, GRID, seed=root)
        regret = curves - curves.min(1, keepdims=True)
        widths.append(np.median((regret <= saturated(np.array(0.01), CAP)).sum(1)) / 20)
    truth = 1.5 + np.sqrt(0.01 / 0.3) + np.sqrt(0.01 / 5)
    assert np.median(widths) == pytest.approx(truth, rel=0.25)


def test_two_valleys_are_no_valley() -> None:
    x = np.linspace(-6, 1, 29)
    two = np.minimum(2 * (x + 4) ** 2, 2 * (x + 1) ** 2)
    seen = Observations(x, np.zeros(29, int), saturated(two, CAP), np.zeros(29))
    curves = draw_curves(seen, CAP, 0.003, GRID)
    mean = curves.mean(0)
    assert mean[np.abs(GRID + 4).argmin()] < 0.03 and mean[np.abs(GRID + 1).argmin()] < 0.03
    assert mean[np.abs(GRID + 2.5).argmin()] > 0.1


def test_a_pit_beside_a_shelf_is_not_taken_for_noise() -> None:
    """Quantile regression with momentum: a shelf from 0.005 to 0.2, 7 % above the best; of the one
    lane at the best, and those of the shelf, which agree to half a percent."""
    x = [0.0018, 0.0056, 0.018, 0.042, 0.42, 0.13, 1.3, 0.032, 0.13, 0.24, 0.032, 0.13, 0.24]
    y = [9.7, 7.7, 6.5, 6.3, 0.0, 6.1, 17.8, 7.3, 8.1, 7.8, 7.1, 6.8, 7.2]
    owner = np.repeat([0, 1, 2, 3], [5, 2, 3, 3])
    seen = Observations(np.log10(x), owner, saturated(np.array(y) / 100, CAP), np.zeros(len(x)))
    shelf = []
    for root in range(4):
        curves = draw_curves(seen, CAP, 0.01, GRID, seed=root)
        regret = (curves - curves.min(1, keepdims=True)).mean(0)
        shelf.append(np.interp(-1.5, GRID, regret))
    assert np.median(shelf) > 0.03


def test_drawing_is_repeated_by_its_seed() -> None:
    one, two, other = (draw_curves(lanes(0.01), CAP, 0.01, GRID, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (PRIORS.curves, len(GRID)) and (one != other).any()


@pytest.mark.parametrize("y", [0.0, 0.2, -1e300, 1e150])
def test_odd_lanes_give_finite_curves(y: float) -> None:
    seen = Observations(np.array([-3.0]), np.array([0]), np.array([y]), np.zeros(1))
    with np.errstate(all="ignore"):
        assert draw_curves(seen, CAP, 0.01, GRID).shape == (PRIORS.curves, len(GRID))
