"""The search on curves made up for it: verdicts, budgets, intervals, repeatability."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrlab.core.records import DIVERGED, NOT_RUN, OK, OUTCOMES, PRUNED
from lrlab.search import Scores, find, from_scores, lane_scores, seed_effects, table
from lrlab.search.budget import Budget
from lrlab.search.find import block
from lrlab.search.posterior import posterior_of
from lrlab.search.rungs import hopes, scout_cost, scout_plan, standing, survivors
from lrlab.search.settings import DEFAULTS
from lrlab.search.verdict import one_way

STEPS, EVALS = 1000, list(range(50, 1001, 50))
START = 2.3


def trainer(final, noise=0.0, breaks=np.inf, start=START, log=None, root=0, direction="min"):
    """A stand-in for training: losses fall from `start` to `final(log10 lr)`, larger than `breaks`
    diverge; noise is shared by a seed in part and its own for each rate."""

    def train(lr, seed, rungs=(), decide=None):
        lr, seed = np.asarray(lr, float), np.asarray(seed, int)
        draws = [
            np.random.default_rng([root, int(s), int(1e6 * (20 + np.log10(r)))]).normal()
            for r, s in zip(lr, seed, strict=True)
        ]
        shared = [np.random.default_rng([root, int(s)]).normal() for s in seed]
        end = final(np.log10(lr)) + noise * (0.7 * np.array(draws) + 0.7 * np.array(shared))
        t = np.asarray(EVALS)[:, None] / STEPS
        curve = start + (end - start) * (1 - np.exp(-4 * t)) / (1 - np.exp(-4))
        broken = lr > breaks
        outcome = np.where(broken, DIVERGED, OK)
        trained = np.where(broken, 7, STEPS)
        curve[:, broken] = np.nan
        at = np.where(broken, 6, -1)
        scores = Scores(
            lr, seed, curve, np.asarray(EVALS), np.full(len(lr), start), outcome, at, trained,
            STEPS, direction,
        )  # fmt: skip
        for step in rungs:
            keep = decide(step, scores)
            cut = ~keep & (scores.outcome == OK)
            scores.outcome[cut] = PRUNED
            scores.steps_trained[cut] = step
            scores.values[np.ix_(np.asarray(EVALS) > step, cut)] = np.nan
        if log is not None:
            log.append((len(lr), float(scores.steps_trained.sum() / STEPS)))
        return scores

    return train


def valley(center=-1.5, width=1.0, depth=0.1):
    return lambda x: START - (START - depth) * np.exp(-(((x - center) / width) ** 2))


def search(train, **options):
    defaults = dict(
        lr_range=(1e-6, 10.0), seeds=[0, 1, 2], steps=STEPS, eval_steps=EVALS, metric="valid_loss"
    )
    return find(train, **(defaults | options))


@pytest.mark.parametrize("budget", [5, 10, 20, 40])
@pytest.mark.parametrize("center", [-4.5, -2.2, -0.3])
def test_finds_a_broadwithin_its_budget(center, budget):
    spent = []
    answer = search(trainer(valley(center), 0.01, log=spent), budget_runs=budget)
    assert answer.verdict == "interior"
    # 0.25 decades off costs 6 % of the depth of this valley.
    assert abs(np.log10(answer.lr) - center) < (0.35 if budget < 10 else 0.25)
    assert answer.interval[0] <= answer.lr <= answer.interval[1]
    assert answer.cost <= budget and answer.cost == pytest.approx(sum(c for _, c in spent))


@pytest.mark.slow
def test_picks_agree_between_root_seeds():
    picks = [
        search(trainer(valley(-2.0), 0.02, root=root), budget_runs=20).lr for root in range(20)
    ]
    ratio = np.maximum(np.array(picks) / 1e-2, 1e-2 / np.array(picks))
    assert (ratio <= 2).mean() >= 0.9


def test_stays_clear_of_the_cliff():
    def cliff(x):
        return np.where(x < -1, START - 1.0 * (x + 7) / 6 * 2.0, START)

    answer = search(trainer(cliff, 0.01, breaks=0.1), budget_runs=20)
    assert answer.lr < 0.1
    assert answer.largest_stable is not None and answer.largest_stable <= 0.1
    assert "diverges" in answer.sentence


CASES = {
    "edge": trainer(lambda x: START - 0.08 * (x + 12)),
    "flat": trainer(lambda x: np.full_like(x, 0.5), 0.001),
    "noisy": trainer(lambda x: np.full_like(x, 1.8), 0.3),
    "none": trainer(lambda x: np.full_like(x, START)),
}


@pytest.mark.parametrize("verdict", list(CASES))
def test_verdicts_of_constructed_cases(verdict):
    answer = search(CASES[verdict], budget_runs=30)
    assert answer.verdict == verdict, answer.sentence
    assert (answer.lr is None) == (verdict == "none")
    assert answer.sentence


def test_everything_diverges():
    answer = search(trainer(valley(), breaks=1e-30), budget_runs=20)
    assert answer.verdict == "none" and "diverged" in answer.sentence
    assert answer.lr is None and answer.interval is None


def test_two_minima_the_lower_wins():
    def twins(x):
        return np.minimum(valley(-4.0, 0.5, 0.5)(x), valley(-1.0, 0.5, 0.1)(x))

    answer = search(trainer(twins, 0.01), budget_runs=30)
    assert abs(np.log10(answer.lr) + 1.0) < 0.3


@pytest.mark.parametrize("root", range(10))
def test_does_not_dip_between_the_broadand_the_cliff(root):
    def adam(x):  # flat over a decade and a half, slowly worse, then a cliff
        slope = np.where(x > -2.3, 0.05 * (x + 2.3), 0.12 * (x + 2.3) ** 2)
        return 0.11 + slope + np.where(x > -1.3, 8 * (x + 1.3) ** 2, 0)

    answer = search(trainer(adam, 0.012, root=root), budget_runs=20)
    regret = (adam(np.log10(answer.lr)) - 0.11) / (START - 0.11)
    assert regret < 0.012, (answer.lr, regret)
    inside = np.linspace(*np.log10(answer.interval), 50)
    assert ((adam(inside) - 0.11) / (START - 0.11)).max() < 0.05


def test_a_metric_to_maximize():
    train = trainer(lambda x: -valley(-2.0)(x), 0.005, start=-START, direction="max")
    answer = search(train, budget_runs=20, metric="valid_accuracy")
    assert abs(np.log10(answer.lr) + 2.0) < 0.3


def test_the_range_is_extended_beyond_its_end():
    answer = search(trainer(valley(-1.0), 0.005), lr_range=(1e-6, 1e-2), budget_runs=30)
    assert answer.verdict == "interior" and abs(np.log10(answer.lr) + 1.0) < 0.4


def test_beside_pruned_rates_is_not_the_edge_of_the_range():
    scores = trainer(valley(-2.0))(np.geomspace(1e-4, 1, 9), np.zeros(9))
    scores.outcome[5:] = PRUNED
    scores.steps_trained[5:] = 100
    answer = from_scores(scores, "valid_loss")
    assert answer.verdict == "interior" and answer.lr == pytest.approx(0.01, rel=0.3)


def test_survivors_are_neighbors_of_the_leader():
    scores = trainer(valley(-2.0))(np.geomspace(1e-6, 10, 16), np.zeros(16))
    alone = DEFAULTS._replace(explorers=0)
    kept = np.flatnonzero(survivors(scores, 100, 5, alone))
    assert len(kept) == 5 and np.ptp(kept) == 4
    assert np.flatnonzero(survivors(scores, 100, 4, alone)).tolist() == [7, 8, 9, 10]
    assert np.flatnonzero(survivors(scores, 100, 3)).tolist() == [8, 9, 10]


def test_rungs_are_evaluations():
    for budget in (1, 4, 6, 10, 30):
        plan = scout_plan(budget, STEPS, EVALS)
        assert {step for step, _ in plan.rungs} <= set(EVALS)
        assert scout_cost(plan.rates, plan.rungs, STEPS) <= budget
    assert scout_plan(30, 1, [1]).rungs == ()


def test_a_scout_without_evaluations_before_the_end_starts_fewer_rates():
    assert scout_plan(10, STEPS, [STEPS]).rates == 7


def test_a_slow_learner_that_may_overtake_is_not_cut():
    """Curves that cross: rate 0 falls with log time for ever, the leader has stopped."""
    rates, t = np.geomspace(1e-4, 1, 9), np.asarray(EVALS, float)
    curve = np.full((len(EVALS), 9), 2.2)
    curve[:, 5] = 1.0  # the leader, done
    curve[:, 6:] = 1.5 + 0.1 * np.arange(3)  # larger rates, done as well
    curve[:, 4] = 2.3 - 0.3 * np.log2(t / 25)  # 2.0 at step 50, 1.7 at 100, 0.7 at the end
    scores = Scores(
        rates, np.zeros(9, int), curve, np.asarray(EVALS), np.full(9, START),
        np.full(9, NOT_RUN), np.full(9, -1), np.full(9, 100), STEPS,
    )  # fmt: skip
    kept = survivors(scores, 100, 3)
    assert kept[4] and kept[5] and kept.sum() == 3
    hope = hopes(scores, 1)
    assert hope[4] == pytest.approx(curve[-1, 4], abs=1e-9) and hope[5] == 1.0


@pytest.mark.filterwarnings("error")
def test_a_lane_that_comes_back_from_a_huge_loss_is_judged_without_a_warning():
    rates = np.geomspace(1e-4, 1, 9)
    curve = np.repeat(np.linspace(2.2, 1.0, len(EVALS))[:, None], 9, 1)
    curve[0, 8], curve[1, 8] = 1e308, 2.1
    scores = Scores(
        rates, np.zeros(9, int), curve, np.asarray(EVALS), np.full(9, START),
        np.full(9, NOT_RUN), np.full(9, -1), np.full(9, 100), STEPS,
    )  # fmt: skip
    assert np.isfinite(hopes(scores, 1)[:8]).all()
    assert survivors(scores, 100, 3).sum() == 3


def test_a_loss_that_dips_beyond_the_cliff_does_not_lead_a_rung():
    rates, t = np.geomspace(1e-4, 1, 9), np.asarray(EVALS, float)
    curve = np.repeat((2.2 - 1.2 * t[:, None] / STEPS), 9, 1) + 0.1 * np.abs(np.arange(9) - 4)
    curve[:, 8] = 30.0
    curve[6, 8] = 0.01  # by chance, at the rung
    scores = Scores(
        rates, np.zeros(9, int), curve, np.asarray(EVALS), np.full(9, START),
        np.full(9, NOT_RUN), np.full(9, -1), np.full(9, 350), STEPS,
    )  # fmt: skip
    assert standing(scores, 6)[8] > 20 and not survivors(scores, EVALS[6], 4)[8]
    assert survivors(scores, EVALS[6], 4)[4]
    mirrored = scores._replace(values=-curve, initial=-scores.initial, direction="max")
    assert (standing(mirrored, 6) == standing(scores, 6)).all()


def evidence(rows, start=START):
    """Full-length lanes from {rate: [score per seed]}."""
    lr = np.array([rate for rate, values in rows.items() for _ in values])
    seed = np.array([s for values in rows.values() for s in range(len(values))])
    score = np.array([value for values in rows.values() for value in values])
    n = len(lr)
    return Scores(
        lr, seed, score[None], np.array([STEPS]), np.full(n, start), np.full(n, OK),
        np.full(n, -1), np.full(n, STEPS), STEPS,
    )  # fmt: skip


def test_one_lucky_seed_is_not_picked_over_a_rate_that_held():
    held = {0.004: [0.5], 0.01: [0.20, 0.22, 0.18, 0.21], 0.018: [0.02], 0.1: [1.9]}
    answer = from_scores(evidence(held), "valid_loss")
    assert abs(np.log10(answer.lr / 0.01)) < 0.15
    alone = from_scores(evidence({**held, 0.01: [0.20]}), "valid_loss")
    assert alone.lr > 0.012


def test_the_leader_is_among_the_rates_of_a_block():
    lucky = {0.001: [0.5], 0.01: [0.20, 0.22], 0.1: [0.05], 1.0: [2.2]}
    parts = [evidence(lucky)]
    lr, seed = block(parts, posterior_of(parts), [7], 3)
    assert np.isclose(lr, 0.1).any() and (seed == 7).all()


def test_where_nothing_matters_the_interval_is_the_range():
    answer = search(trainer(lambda x: np.full_like(x, 0.5), 0.001), budget_runs=20)
    assert answer.verdict == "flat"
    tried = [row["lr"] for row in answer.evidence]
    assert answer.interval == pytest.approx((tried[0], tried[-1]))
    assert tried[0] <= 1e-6 and tried[-1] >= 10


@pytest.mark.parametrize(("budget", "noise", "root"), [(14, 0.6, 6), (15, 1.0, 4), (13, 0.6, 32)])
def test_rates_that_noise_hides_are_not_said_to_be_alike(budget, noise, root):
    """Seeds differ by more than half of what training gains: the fit is level, as it knows
    nothing."""
    narrow = lambda x: np.where(np.abs(x + 0.8) < 0.35, 0.4, 1.3)  # noqa: E731
    answer = search(trainer(narrow, noise, start=1.2, root=root), budget_runs=budget)
    assert answer.verdict == "noisy", answer.sentence


finite = st.floats(-1e6, 1e6)
anything = st.one_of(finite, st.just(np.nan), st.just(np.inf), st.just(-np.inf))


@settings(max_examples=60)
@given(st.data())
def test_no_pattern_of_nan_and_inf_breaks_an_answer(data):
    rates, seeds = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    n = rates * seeds
    draw = lambda kind: np.array(data.draw(st.lists(kind, min_size=n, max_size=n)))  # noqa: E731
    scores = Scores(
        np.repeat(np.geomspace(1e-3, 1, rates), seeds), np.tile(np.arange(seeds), rates),
        draw(anything)[None].astype(float), np.array([10]), draw(anything).astype(float),
        draw(st.sampled_from(range(len(OUTCOMES)))), np.full(n, -1),
        np.full(n, 10), 10,
    )  # fmt: skip
    values = lane_scores(scores)
    assert not np.isinf(values).any()
    answer = from_scores(scores, "valid_loss")
    assert answer.verdict in ("interior", "edge", "flat", "noisy", "none")
    if answer.lr is not None:
        assert np.isfinite(answer.lr) and answer.interval[0] <= answer.interval[1]


def test_table_keeps_the_longer_of_two_trainings():
    short = trainer(valley())(np.array([0.1]), np.array([0]))
    short.outcome[:] = PRUNED
    whole = trainer(valley())(np.array([0.1]), np.array([0]))
    both = table([whole, short._replace(steps_trained=np.array([50]))])
    assert np.isfinite(both.score).all()


def test_the_first_look_at_the_clock_cuts_nothing():
    times = iter([0.0, 3.0, 70.0, 80.0])
    budget = Budget(None, 100.0, 20, lambda: next(times), DEFAULTS.default_budget)
    lanes = Scores(
        lr=np.ones(8), seed=np.zeros(8, int), values=np.ones((1, 8)), eval_steps=np.array([10]),
        initial=np.ones(8), outcome=np.full(8, NOT_RUN), diverged_at=np.full(8, -1),
        steps_trained=np.full(8, 10), steps=20, direction="min",
    )  # fmt: skip
    assert budget.affordable([], lanes, 10, 6) == 6  # compilation tells nothing of the pace
    later = lanes._replace(steps_trained=np.full(8, 15))
    assert budget.affordable([], later, 15, 6) == 3  # 30 s left, at 67 s for two runs


def test_one_way_analysis_of_variance_is_scipys() -> None:
    from scipy import stats

    random = np.random.default_rng(0)
    for count in range(2, 8):
        groups = [random.normal(0.3 * i, 1, random.integers(2, 6)) for i in range(count)]
        np.testing.assert_allclose(
            one_way(groups), stats.f_oneway(*groups).pvalue, rtol=1e-10, atol=1e-14
        )


def test_noise_is_that_of_a_worse_rate_where_no_good_one_has_two_seeds():
    alone = {0.01: [0.1], 0.03: [0.9, 1.5], 0.1: [1.2, 1.8]}
    whole = table([evidence(alone)])
    assert seed_effects.noise_of(whole) is None
    assert seed_effects.noise_of(whole, everywhere=True) == pytest.approx(
        0.6 / np.sqrt(2), rel=1e-6
    )
    assert posterior_of([evidence(alone)]).spread > 0.1
    assert not posterior_of([evidence(alone)]).measured
    assert posterior_of([evidence({0.01: [0.1], 0.03: [0.9]})]).spread == pytest.approx(0.01)
