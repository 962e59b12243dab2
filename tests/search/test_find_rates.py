"""Several learning rates at once: a training whose best rates are known."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.core.records import DIVERGED, OK, PRUNED
from lrlab.search import Scores, find_rates
from lrlab.search.find_rates import placed
from lrlab.types import Answer

STEPS, EVALS = 100, list(range(5, 101, 5))
WIDE = (1e-5, 10.0)


class World:
    """Each rate costs its squared distance in decades from its best; beyond `breaks` times a best
    training diverges. `calls`: the rates of every lane that was trained."""

    def __init__(self, best: dict[str, float], noise: float = 0.02, breaks: float = np.inf) -> None:
        self.best, self.noise, self.breaks = best, noise, breaks
        self.calls: list[dict[str, np.ndarray]] = []

    def train(self, lr, seed, rungs=(), decide=None, further=None):
        first, *others = self.best
        rates = {first: np.asarray(lr)} | {one: further[f"lr_{one}"] for one in others}
        self.calls.append({**rates, "seed": np.asarray(seed)})
        away = {one: np.log10(rates[one] / best) for one, best in self.best.items()}
        luck = np.array([np.random.default_rng(int(s)).normal() for s in seed]) * self.noise
        decay = np.asarray(further.get("decay", np.zeros(len(luck))))
        end = np.minimum(2.0, 0.1 + 0.2 * sum(d**2 for d in away.values()) + luck + decay)
        share = (np.array(EVALS) / STEPS)[:, None]
        metric = 2.0 + (end - 2.0) * share
        broken = np.any([10**d > self.breaks for d in away.values()], axis=0)
        metric[:, broken] = np.nan
        kinds, trained = np.where(broken, DIVERGED, OK), np.where(broken, 3, STEPS)
        at, start = np.where(broken, 2, -1), np.full(len(luck), 2.0)
        evals = np.array(EVALS)
        for rung in rungs:
            so_far = Scores(lr, seed, metric, evals, start, kinds, at, trained, STEPS)
            cut = ~decide(rung, so_far) & (kinds == OK)
            kinds, trained = np.where(cut, PRUNED, kinds), np.where(cut, rung, trained)
            metric[evals > rung] = np.where(cut, np.nan, metric[evals > rung])
        return Scores(lr, seed, metric, evals, start, kinds, at, trained, STEPS)


def search(world: World, ranges: dict[str, tuple[float, float]], **options):
    return find_rates(
        world.train, ranges=ranges, seeds=[0, 1, 2], steps=STEPS, eval_steps=EVALS,
        metric="valid_loss", **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    "best",
    [
        pytest.param({"a": 0.1, "b": 0.1}, marks=pytest.mark.slow),
        {"a": 1e-3, "b": 0.5},
        pytest.param({"a": 0.3, "b": 1e-3, "c": 0.02}, marks=pytest.mark.slow),
    ],
)
def test_each_rate_comes_near_its_best(best: dict[str, float]) -> None:
    answer = search(World(best), dict.fromkeys(best, WIDE))
    assert answer.verdict == "interior" and list(answer.lr) == list(best)
    for name, rate in best.items():
        assert rate / 2.5 < answer.lr[name] < rate * 2.5
        low, high = answer.interval[name]
        assert low <= answer.lr[name] <= high and low < rate < high


def test_rates_beyond_a_cliff_are_not_recommended() -> None:
    world = World({"a": 0.01, "b": 0.1}, breaks=2.0)
    answer = search(world, {"a": WIDE, "b": WIDE})
    assert answer.lr["a"] < 0.02 and answer.lr["b"] < 0.2


def test_the_cost_is_what_was_trained_and_within_the_budget() -> None:
    world = World({"a": 0.1, "b": 0.01})
    answer = search(world, {"a": WIDE, "b": WIDE}, budget_runs=25)
    assert 15 < answer.cost <= 25.001
    lanes = sum(len(call["seed"]) for call in world.calls)
    assert sum(len(row["seeds"]) for row in answer.evidence) <= lanes


def test_a_rate_that_is_given_is_held() -> None:
    world = World({"a": 0.1, "b": 0.01})
    answer = search(world, {"a": WIDE, "b": (0.3, 0.3)})
    assert answer.lr["b"] == 0.3 and answer.interval["b"] == (0.3, 0.3)
    assert all(np.allclose(call["b"], 0.3, rtol=1e-9, atol=0) for call in world.calls)
    assert 0.04 < answer.lr["a"] < 0.25 and "b 0.3 (held)" in answer.sentence


def test_a_small_budget_says_that_the_ranges_are_of_all_together() -> None:
    answer = search(World({"a": 0.1, "b": 0.1}), {"a": WIDE, "b": WIDE}, budget_runs=5)
    assert answer.cost <= 5.001 and "did not reach for each rate" in answer.sentence


def test_the_last_searches_have_seeds_of_their_own() -> None:
    """Those that chose the point flatter it."""
    world = World({"a": 0.1, "b": 0.01})
    answer = search(world, {"a": WIDE, "b": WIDE})
    alone = {
        seed for row in answer.evidence if row["lr"]["b"] != answer.lr["b"] for seed in row["seeds"]
    }
    assert {seed // 100 for seed in alone} >= {0, 2}


def test_nothing_trains() -> None:
    answer = search(World({"a": 1e-9, "b": 1e-9}, breaks=1.0), {"a": WIDE, "b": WIDE})
    assert answer.verdict == "none" and answer.lr is None and answer.interval is None


@pytest.mark.slow
def test_further_axes_are_searched_with_the_ratios() -> None:
    world = World({"a": 0.1, "b": 0.01})
    axes = {"decay": [0.0, 0.5]}
    answer = search(world, {"a": WIDE, "b": WIDE}, axes=axes, budget_runs=60)
    assert answer.details["at"] == {"decay": 0.0}
    assert answer.sentence.startswith("With decay 0: Train with learning rates a ")


def test_every_row_of_the_evidence_was_trained() -> None:
    world = World({"a": 0.1, "b": 0.01})
    answer = search(world, {"a": WIDE, "b": WIDE})
    trained = np.concatenate([np.stack([call["a"], call["b"]], 1) for call in world.calls])
    for row in answer.evidence:
        point = [row["lr"]["a"], row["lr"]["b"]]
        assert np.isclose(trained, point, rtol=1e-5, atol=0).all(1).any()


@pytest.mark.parametrize(("best", "side"), [(0.26, "largest"), (0.003, "smallest")])
def test_an_edge_inside_the_given_range_asks_for_a_larger_budget(best: float, side: str) -> None:
    rows = tuple({"lr": lr} for lr in (0.003, 0.03, 0.26))
    answer = Answer(best, (best, best), "edge", "Raise lr_range[1].", "valid_loss", 9.0, rows)
    inside = placed(answer, (1e-4, 1.0)).sentence
    assert f"is the {side} one" in inside and "Raise the budget" in inside
    assert placed(answer, (0.003, 0.26)).sentence == answer.sentence
    interior = answer._replace(verdict="interior")
    assert placed(interior, (1e-4, 1.0)) == interior
