"""A constant added to a loss changes no answer, verdict, interval, or pick of a rule of our own."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.core.records import DIVERGED, OK, PRUNED
from lrlab.results.range_test import RangeTest
from lrlab.search import Scores, find, find_axes, from_scores, rules
from lrlab.search.comparison import compared
from lrlab.search.differences import coarse, rounding
from lrlab.search.range_test import range_test
from lrlab.search.statistics import learning_rate_sensitivity, paired_comparison
from lrlab.types import Answer

LEVELS = (0.0, 10.0, 3000.0, -3000.0, 1e5)
STEPS, EVALS = 200, np.arange(10, 201, 10)
OWN = ("safe_descent", "below_divergence", "lowest")
PUBLISHED = [name for name in rules.NAMES if name not in OWN]


def bowl(level, sign=1.0, dtype=np.float64, small=1.0, spread=0.05):
    """A stand-in for training: gradient descent on sign * (level + small * sum of squares), which
    reaches its floor to the last digit for many rates; those above 2 diverge."""

    def train(lr, seed, rungs=(), decide=None, hyper=None):
        lr, seed = np.asarray(lr, float), np.asarray(seed, int)
        start = np.array([1 + spread * np.random.default_rng(int(s)).normal() for s in seed])
        shift = 0.0 if hyper is None else np.asarray(hyper["weight_decay"])
        with np.errstate(over="ignore"):
            left = np.abs(1 - lr) ** (2 * EVALS[:, None]) * start + shift
        broken = lr > 2
        left[:, broken] = np.nan
        rows = (sign * (level + small * left)).astype(dtype)
        outcome = np.where(broken, DIVERGED, OK)
        scores = Scores(
            lr, seed, rows, EVALS, (sign * (level + small * (start + shift))).astype(dtype),
            outcome, np.where(broken, 9, -1), np.where(broken, 9, STEPS), STEPS,
            "min" if sign > 0 else "max",
        )  # fmt: skip
        for step in rungs:
            cut = ~decide(step, scores) & (scores.outcome == OK)
            scores.outcome[cut] = PRUNED
            scores.steps_trained[cut] = step
            scores.values[np.ix_(step < EVALS, cut)] = np.nan
        return scores

    return train


GIVEN = dict(
    lr_range=(1e-6, 10.0), seeds=[0, 1, 2], steps=STEPS, eval_steps=EVALS.tolist(),
    metric="valid_loss",
)  # fmt: skip


def same(found: Answer, wanted: Answer, rtol: float = 1e-6) -> None:
    assert found.verdict == wanted.verdict
    assert found.lr == pytest.approx(wanted.lr, rel=rtol)
    assert found.interval == pytest.approx(wanted.interval, rel=rtol)
    assert found.sentence == wanted.sentence and found.cost == wanted.cost


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("level", LEVELS[1:])
def test_a_search(level: float, sign: float) -> None:
    wanted, found = (find(bowl(at, sign), **GIVEN, budget_runs=12) for at in (0.0, level))
    assert wanted.verdict == "interior" and 0.05 < wanted.lr < 1.9
    same(found, wanted)


@pytest.mark.parametrize("spread", [0.0, 0.05])
@pytest.mark.parametrize("level", LEVELS[1:])
def test_a_sweep(level: float, spread: float) -> None:
    lr = np.repeat(np.geomspace(1e-4, 10, 16), 3)
    seed = np.tile([0, 1, 2], 16)
    same(*(from_scores(bowl(at, spread=spread)(lr, seed), "valid_loss") for at in (level, 0.0)))


@pytest.mark.parametrize("level", [10.0, 100.0, -100.0, 3000.0])
def test_a_search_in_single_precision(level: float) -> None:
    wanted, found = (
        find(bowl(at, dtype=np.float32), **GIVEN, budget_runs=12) for at in (0.0, level)
    )
    assert found.verdict == wanted.verdict == "interior"
    assert found.lr == pytest.approx(wanted.lr, rel=0.3)


@pytest.mark.slow
def test_a_search_with_a_further_axis() -> None:
    axes = {"weight_decay": [0.0, 0.2]}
    wanted, *found = (
        find_axes(bowl(at), axes=axes, **GIVEN, budget_runs=12) for at in (0.0, -3000.0, 1e5)
    )
    assert wanted.details["at"] == {"weight_decay": 0.0}
    for answer in found:
        assert answer.details["at"] == {"weight_decay": 0.0}
        same(answer, wanted)


def test_axes_that_come_to_the_same_floor_are_as_good() -> None:
    """Both reach the level to the last digit or nearly: none is better."""
    shift = {"weight_decay": [1e-13, 1e-9]}
    for level in (0.0, 3000.0):
        answer = find_axes(bowl(level), axes=shift, **GIVEN, budget_runs=14)
        assert "costs at most" in answer.sentence and "is worse" not in answer.sentence


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_gained_may_be_a_small_share_of_the_loss(level: float) -> None:
    """Fine-tuning gains a ten-thousandth: that is as good an answer at any level."""
    answer = find(bowl(level, small=1e-4, spread=0.0), **GIVEN, budget_runs=12)
    assert answer.verdict == "interior" and 0.05 < answer.lr < 1.9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", LEVELS)
def test_what_rounding_makes_is_no_gain(level: float, dtype: type) -> None:
    """A dead loss whose evaluations differ in the last digit."""
    dead = bowl(level, dtype=dtype, small=0.0)

    def train(lr, seed, *rest):
        scores = dead(lr, seed, *rest)
        step = np.finfo(dtype).eps * abs(level)
        return scores._replace(values=scores.values - (step * (seed % 2)).astype(dtype))

    answer = find(train, **GIVEN, budget_runs=12)
    assert answer.verdict == "none" and f"stays at {level:.4g} for every" in answer.sentence


def test_a_gain_by_chance_is_none_where_seeds_begin_apart() -> None:
    """Labels that do not belong to the inputs: whatever falls, falls by chance."""
    lr, seed = np.repeat(np.geomspace(1e-6, 1, 12), 3), np.tile([0, 1, 2], 12)
    start = 2.3 + 0.05 * np.array([0.0, 1.0, -1.0])[seed]
    luck = np.random.default_rng(0).normal(size=len(lr)) * 3e-4
    end = start + 30 * lr + luck
    scores = Scores(
        lr, seed, np.stack([end]), np.array([9]), start, np.full(len(lr), OK),
        np.full(len(lr), -1), np.full(len(lr), 9), 9,
    )  # fmt: skip
    for level in LEVELS:
        moved = scores._replace(values=scores.values + level, initial=scores.initial + level)
        assert from_scores(moved, "valid_loss").verdict == "none"


def objective(level: float) -> lrlab.Task:
    return lrlab.Task.objective(
        name="bowl", init=lambda key: {"w": jnp.ones(4)},
        loss=lambda params, key: level + (params["w"] ** 2).sum(),
    )  # fmt: skip


def test_from_python() -> None:
    level = -3000.0
    given = dict(
        optimizer="sgd", steps=60, schedule="constant", precision="float64", budget=6, seeds=2,
        progress=False,
    )  # fmt: skip
    wanted, found = (lrlab.find(objective(at), **given) for at in (0.0, level))
    assert wanted.verdict == "interior" and 0.02 < wanted.lr < 0.6
    same(found, wanted)
    grid = lrlab.log_grid(1e-4, 0.9, 9)
    options = {name: value for name, value in given.items() if name != "budget"}
    wanted, found = (lrlab.sweep(objective(at), lr=grid, **options).best() for at in (0.0, level))
    same(found, wanted)


@pytest.mark.parametrize("level", LEVELS)
def test_a_rung_where_the_start_is_not_known(level: float) -> None:
    """The spread of the rates stands in for what is gained: not the loss itself."""
    from lrlab.search.rungs import survivors

    lr = np.geomspace(1e-5, 1, 12)
    scores = bowl(level, spread=0.0)(lr, np.zeros(12, int))
    scores = scores._replace(initial=np.full(12, np.nan))
    wanted = bowl(0.0, spread=0.0)(lr, np.zeros(12, int))._replace(initial=np.full(12, np.nan))
    kept = survivors(scores, 50, 4)
    assert kept.tolist() == survivors(wanted, 50, 4).tolist() and kept.sum() == 4


LR = np.geomspace(1e-7, 10, 100)


def ramp(noise: float = 0.0) -> np.ndarray:
    """A loss that falls from 2.3 to 0.5 and blows up."""
    x = np.log10(LR)
    falls = 2.3 - 1.8 / (1 + np.exp(-4 * (x + 2)))
    rises = np.exp(np.minimum(6 * (x - 0.2), 20))
    return falls + rises + noise * np.random.default_rng(0).normal(size=100)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("rule", OWN)
def test_rules_of_our_own(rule: str, noise: float) -> None:
    wanted = rules.apply(rule, LR, ramp(noise)).lr
    assert np.isfinite(wanted)
    for level in LEVELS:
        assert rules.apply(rule, LR, level + ramp(noise)).lr == pytest.approx(wanted, rel=1e-9)
    for level in (10.0, 100.0, -100.0):
        single = (level + ramp(noise)).astype(np.float32)
        assert rules.apply(rule, LR, single).lr == pytest.approx(wanted, rel=1.0)


@pytest.mark.parametrize("rule", OWN)
@pytest.mark.parametrize("level", [10.0, 3000.0, -3000.0, 1e5])
def test_a_dead_loss_in_single_precision_has_no_pick(level: float, rule: str) -> None:
    last = np.spacing(np.float32(abs(level))) * np.random.default_rng(1).integers(-1, 2, 100)
    pick = rules.apply(rule, LR, (level + last).astype(np.float32))
    assert (np.isnan(pick.lr) and "falls" in pick.reason) or "fall" in pick.reason


@pytest.mark.parametrize("rule", PUBLISHED)
def test_published_rules_say_when_the_loss_is_negative(rule: str) -> None:
    assert rules.apply(rule, LR, ramp()).note == ""
    pick = rules.apply(rule, LR, ramp() - 3000)
    said = re.search(r"the loss is negative, and .* stops where it is above [45] times the best "
                     r"so far: the rule saw (\d+) of 100 points", pick.note)  # fmt: skip
    assert said and int(said[1]) < 20
    assert np.isfinite(pick.lr) or pick.note in pick.reason
    test = RangeTest(range_test(LR, ramp()[None] - 3000, np.array([7]), "ramp", "train"))
    assert test.notes[rule] == {7: pick.note} and test.payload()["notes"][rule] == {7: pick.note}
    assert "the loss is negative" in str(test)
    for own in OWN:
        assert own not in test.payload()["notes"]


def test_a_positive_loss_has_no_notes() -> None:
    test = RangeTest(range_test(LR, ramp()[None], np.array([0]), "ramp", "train"))
    assert test.payload()["notes"] == {} and "negative" not in str(test)


@pytest.mark.parametrize("level", LEVELS)
def test_statistics(level: float) -> None:
    a, b = level + np.array([0.3, 0.1, 0.2]), level + np.array([0.4, 0.2, 0.3])
    pair = paired_comparison(a, b)
    assert pair.p_value == 0 and pair.effect_size == -np.inf
    assert pair.difference == pytest.approx((-0.1, -0.1, -0.1), abs=1e-9)
    pair = paired_comparison(a, a + rounding(a) / 8 * np.array([1, 0, -1]))
    assert pair.p_value == 1 and pair.difference == (0, 0, 0)
    found = learning_rate_sensitivity(
        [0.01, 0.1, 1.0], level + np.array([2.0, 1.0, 2.0]), level + 5.0, 0.01, 1.0
    )
    assert found == pytest.approx(0.5, abs=1e-9)


def setting(level: float, apart: float) -> Answer:
    final = {"seeds": [1, 2, 3], "scores": [level + apart + s for s in (0.01, 0.02, 0.03)]}
    best = level + 0.02
    details = {"final": final, "initial": level + 2.3, "best_score": best}
    return Answer(0.1, (0.05, 0.2), "interior", "", "valid_loss", 9.0, (), None, details)


@pytest.mark.parametrize("level", LEVELS)
def test_a_comparison(level: float) -> None:
    found = compared({"a": setting(level, 0.0), "b": setting(level, 0.5)}, "valid_loss", "min")
    assert found.winner == "a" and "b by 0.5 to 0.5" in found.sentence
    shown = float(re.search(r"valid_loss (\S+?),", found.sentence)[1])
    assert shown == pytest.approx(level + 0.02, abs=0.006)  # digits that tell a from b
    assert (
        "wins"
        not in compared(
            {"a": setting(level, 0.0), "b": setting(level, 1e-8)}, "valid_loss", "min"
        ).sentence
    )


def test_what_is_the_same_in_a_decision() -> None:
    values = np.array([1e-30, 1e-9, 0.5, np.inf])
    for level in LEVELS:
        assert coarse(level + values, 1.0).tolist() == [0, 0, 5000, np.inf]
    assert jax.config.jax_enable_x64 is False
