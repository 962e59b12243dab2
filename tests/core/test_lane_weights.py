"""A lane found by its values."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.core.weights import Weights, place_of

AXES = {
    "lr": np.array([0.1, 0.1, 0.3, 0.3, 0.3]),
    "weight_decay": np.array([0.0, 1e-3, 0.0, 1e-3, 0.0]),
    "seed": np.array([0, 0, 0, 0, 1]),
}


def test_values_are_met_within_a_millionth() -> None:
    assert place_of(AXES, {"lr": 0.3 * (1 + 9e-7), "weight_decay": 1e-3}) == 3
    assert place_of(AXES, {"lr": float(np.float32(0.1)), "weight_decay": 0.0, "seed": 0}) == 0
    with pytest.raises(KeyError, match=r"no lane has lr = 0\.3000006; there are 0\.1, 0\.3"):
        place_of(AXES, {"lr": 0.3 * (1 + 2e-6)})


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"lr": 0.3, "weight_decay": 0.0}, r"several lanes: say which seed; there are 0, 1"),
        ({"seed": 0}, r"several lanes: say which lr; there are 0\.1, 0\.3"),
        ({"lr": 0.1, "seed": 1}, r"no lane with lr = 0\.1 has seed = 1; there are 0"),
        ({"momentum": 0.9}, r"no axis 'momentum'; there are lr, weight_decay, seed"),
    ],
)
def test_what_is_no_lane_is_said_with_the_values_there_are(wanted, words) -> None:
    with pytest.raises(KeyError, match=words):
        place_of(AXES, wanted)


def test_seeds_are_whole_numbers() -> None:
    axes = {"lr": np.array([0.1, 0.1]), "seed": np.array([2_000_000_000, 2_000_000_001])}
    assert place_of(axes, {"seed": 2_000_000_001}) == 1


def test_one_rate_listed_twice_is_one_lane() -> None:
    axes = {"lr": np.array([0.1, 0.1]), "seed": np.array([4, 4])}
    assert place_of(axes, {"lr": 0.1}) == 0


def test_nothing_kept() -> None:
    axes = {"lr": np.empty(0), "seed": np.empty(0, np.int64)}
    with pytest.raises(KeyError, match=r"no lane's weights are kept"):
        place_of(axes, {})


def test_a_lane_is_a_copy() -> None:
    weights = Weights(AXES, [np.arange(5.0)])
    weights.lane(1)[0][...] = 7
    assert weights.leaves[0][1] == 1
