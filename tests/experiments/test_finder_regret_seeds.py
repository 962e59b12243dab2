"""`experiments/finder_regret_seeds.py`: over which distance of rates a seed is lucky."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from places import ROOT

RATES = np.linspace(-6, 1.5, 61)
"""Log10 of the rates of a record."""


@pytest.fixture(scope="module")
def seeds():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "experiments"))
        yield importlib.import_module("finder_regret_seeds")


def record(length, own, spread=0.01, count=72, seed=0):
    """A wide valley whose seeds add a process of this length, and noise that each lane has of its
    own."""
    random = np.random.default_rng(seed)
    apart = RATES[:, None] - RATES
    shared = (1 - own**2) * np.exp(-(apart**2) / (2 * length**2)) + 1e-9 * np.eye(61)
    luck = np.linalg.cholesky(shared) @ random.normal(size=(61, count))
    luck += own * random.normal(size=(61, count))
    score = ((RATES + 2.5)[:, None] / 6) ** 2 + spread * luck
    return {
        "lr": 10**RATES,
        "metric": np.stack([np.full_like(score, 1.0), score]),
        "initial": np.ones_like(score),
        "outcome": np.full(score.shape, "ok"),
    }


def test_the_length_that_seeds_were_drawn_with_comes_back(seeds):
    lucks = [seeds.luck_of(record(0.4, 0.3, seed=number)) for number in range(20)]
    assert np.mean([luck.own for luck in lucks]) == pytest.approx(0.3, abs=0.05)
    steps = np.arange(2, 9)
    apart = np.array([np.mean([luck.apart[one] for luck in lucks]) for one in steps])
    length = seeds.length_of(steps * seeds.CLASS, apart / (1 - 0.3**2))
    assert length == pytest.approx(0.4, abs=0.05)


def test_seeds_that_do_not_matter_say_nothing(seeds):
    assert seeds.luck_of(record(0.4, 0.0, spread=1e-7)) is None


def test_rates_that_diverge_for_a_seed_are_left_out(seeds):
    lanes = record(0.4, 0.3)
    lanes["outcome"] = np.where(RATES[:, None] > -2.6, "diverged", "ok")
    apart = seeds.luck_of(lanes).apart
    assert max(apart) < max(seeds.luck_of(record(0.4, 0.3)).apart)


def test_of_a_metric_that_is_maximized_too(seeds):
    lanes = record(0.4, 0.3)
    turned = {**lanes, "metric": -lanes["metric"], "initial": -lanes["initial"],
              "direction": np.array("max")}  # fmt: skip
    assert seeds.luck_of(turned) == seeds.luck_of(lanes)
