"""Every place that speaks of an interval names the tolerance that it is for."""

from __future__ import annotations

import re

import numpy as np
import pytest
from axes_world import World
from axes_world import search as search_axes
from few import few
from test_find import CASES, search, trainer, valley

from lrlab.core.text import percent
from lrlab.core.tolerance import level_of
from lrlab.report.html.cards import answer_card
from lrlab.search import answer_json, from_scores, table
from lrlab.search.posterior import posterior_of
from lrlab.search.sentences import Promised, advice
from lrlab.search.settings import DEFAULTS
from lrlab.search.verdict import INTERIOR, MOST_SEEDS, NOISY


def told(answer) -> float:
    """The tolerance that the fit's limit stands for."""
    fit, gap = answer.details["fit"], answer.details["gap"]
    return (fit["limit"] - np.min(fit["mean"])) / gap


def in_words(sentence: str) -> str:
    """The tolerance that a sentence gives its interval."""
    found = re.search(r"costs at most (\S+ %) more", sentence)
    assert found is not None, sentence
    return found[1]


@pytest.mark.parametrize("root", few(range(8), 4))
def test_one_tolerance_in_sentence_card_json_and_fit(root: int) -> None:
    answer = search(trainer(valley(-2.0), 0.06, root=root), budget_runs=20)
    level = level_of(answer.tolerance, answer.resolved)
    assert answer.verdict == INTERIOR and told(answer) == pytest.approx(level)
    assert in_words(answer.sentence) == percent(level)
    assert f"costs at most {percent(level)}" in answer_card(answer)
    assert ("sure of 1 %" in answer_card(answer)) == (level > 0.01)
    assert answer_json(answer)["resolved"] == answer.resolved


@pytest.mark.parametrize("own", [0.01, 0.02, 0.08])
def test_over_several_axes_too(own: float) -> None:
    """What the pick is sure of against all combinations may be finer than what its interval is."""
    world = World(lambda decay: 10 ** (-2 - 0.3 * decay), lambda decay: 0.1, 0.02, own=own)
    answer = search_axes(world, {"decay": [0.0, 1.0, 2.0]}, budget_runs=30)
    assert answer.verdict == INTERIOR
    level = level_of(answer.tolerance, answer.resolved)
    assert told(answer) == pytest.approx(level)
    assert in_words(answer.sentence) == percent(level)


@pytest.mark.parametrize("verdict", ["edge", "flat"])
def test_the_interval_of_an_end_and_of_a_plain_has_one_too(verdict: str) -> None:
    answer = search(CASES[verdict], budget_runs=20)
    level = level_of(answer.tolerance, answer.resolved)
    assert answer.verdict == verdict and told(answer) == pytest.approx(level)
    fit = answer.details["fit"]
    inside = (fit["lr"] >= answer.interval[0]) & (fit["lr"] <= answer.interval[1])
    costs = (np.array(fit["mean"])[inside].max() - min(fit["mean"])) / answer.details["gap"]
    assert costs <= 3 * level


def test_a_plain_that_slopes_by_more_than_the_tolerance() -> None:
    """The interval of a flat answer is all that was tried, whatever the tolerance."""
    lr, seed = np.tile(np.geomspace(1e-4, 1.0, 9), 3), np.repeat(np.arange(3), 9)
    part = trainer(lambda x: 0.5 + 0.006 * (x + 4), 0.0005)(lr, seed)
    answer = from_scores(part, "valid_loss", settings=DEFAULTS._replace(tolerance=0.001))
    assert answer.verdict == "flat" and answer.interval == pytest.approx((1e-4, 1.0))
    assert answer.resolved == pytest.approx(0.024 / 1.8, rel=0.1)
    assert told(answer) == pytest.approx(answer.resolved)


def test_of_one_rate_alone_nothing_is_sure() -> None:
    for answer in (
        search(trainer(valley(-2.0)), budget_runs=1),
        search(trainer(valley(-2.0)), budget_runs=2),
        from_scores(trainer(valley(-2.0), 0.01)(np.full(3, 0.01), np.arange(3)), "valid_loss"),
    ):
        assert answer.verdict == "noisy" and "One rate alone" in answer.sentence
        assert answer.confidence == 0.0 and answer.resolved == 1.0
        assert answer.interval == (answer.lr, answer.lr)
        assert answer.details["interval_probability"] is None
        assert "sure" not in answer_card(answer) and "costs at most" not in answer_card(answer)


def test_a_tolerance_that_reads_as_the_one_asked_for_is_not_said_to_be_coarser() -> None:
    part = trainer(valley(-2.0), 0.01)(np.geomspace(1e-3, 0.1, 9), np.zeros(9))

    said = [
        advice(
            INTERIOR, 0.01, Promised((0.005, 0.02), 0.01, resolved, 0.89), table([part]),
            "valid_loss", {"seeds_needed": 3}, False,
        )
        for resolved in (0.0102, 0.0112)
    ]  # fmt: skip
    assert "sure)" in said[0] and "can tell" not in said[0]
    assert "sure of 1 %). Of the range, 1.1 % is what 1 seed can tell" in said[1]


@pytest.mark.parametrize(
    ("regret", "said"),
    [(0.08, "may cost 8 % more than the best; "), (1.0, "may gain nothing; "), (3.2, "nothing; ")],
)
def test_a_noisy_answer_says_what_its_pick_may_cost(regret: float, said: str) -> None:
    part = trainer(valley(-2.0), 0.01)(np.geomspace(1e-4, 1, 9), np.zeros(9))
    known = {"seeds_needed": 7, "regret": regret}
    promised = Promised((0.005, 0.02), 0.01, regret, 0.4)
    text = advice(NOISY, 0.01, promised, table([part]), "valid_loss", known, False)
    assert said in text and text.endswith("about 7 seeds per rate would settle it.")


@pytest.mark.parametrize("goal", [0.5, 0.9])
def test_seeds_that_settle_a_noisy_answer_follow_from_what_its_pick_may_cost(goal: float) -> None:
    """Not from the interval's tolerance, nor from what the pick costs in every other curve."""
    seen, lr = 0, np.geomspace(1e-4, 1.0, 9)
    for root in range(10):
        part = trainer(valley(-2.0, 0.8), 0.4, root=root)(np.tile(lr, 2), np.repeat([0, 1], 9))
        settings = DEFAULTS._replace(confidence=goal)
        answer = from_scores(part, "valid_loss", settings=settings)
        if "may cost" not in answer.sentence:
            continue
        seen += 1
        most = np.ceil(2 * (answer.details["regret"] / 0.01) ** 2)
        assert answer.details["seeds_needed"] == min(most, MOST_SEEDS)
    assert seen


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_an_answer_at_an_edge_is_not_sure_of_what_lies_beyond(noise: float) -> None:
    part = trainer(valley(0.0), noise)(np.tile(np.geomspace(1e-4, 0.1, 9), 2), np.repeat([0, 1], 9))
    answer = from_scores(part, "valid_loss")
    assert answer.verdict == "edge" and answer.confidence < 0.5


def test_an_interval_ends_at_the_rates_that_were_tried_to_the_last_digit() -> None:
    lr = np.geomspace(0.02, 0.03, 5)
    part = trainer(lambda x: 0.5 + 0.5 * x**2, 0.0)(lr, np.zeros(5))
    answer = from_scores(part, "valid_loss")
    assert answer.verdict == "edge" and answer.lr == answer.interval[1] == 0.03


def test_seeds_are_counted_to_where_it_is_hopeless() -> None:
    part = trainer(valley(-2.0), 0.01)(np.geomspace(1e-4, 1, 9), np.zeros(9))
    known = {"seeds_needed": MOST_SEEDS, "regret": 1.0}
    promised = Promised((0.005, 0.02), 0.01, 1.0, 0.4)
    text = advice(NOISY, 0.01, promised, table([part]), "valid_loss", known, False)
    assert text.endswith("9,999 or more seeds per rate would settle it.")


@pytest.mark.parametrize("noise", [0.5, 0.8])
def test_one_lane_for_each_good_rate_is_not_enough_beside_rates_with_several(noise: float) -> None:
    """Nothing says how much seeds differ near the best; the lane that is best may be lucky. A sweep
    with one seed everywhere is what its user asked for, and judged less strictly."""
    train = trainer(valley(-1.5, 0.7), noise, root=1)
    far = train(np.repeat([1e-4, 1e-3, 1.0], 2), np.tile([0, 1], 3))
    near = train(np.array([0.01, 0.03, 0.1]), np.array([0, 1, 2]))
    assert not posterior_of([far, near]).measured
    answer = from_scores([far, near], "valid_loss")
    assert DEFAULTS.verdict.acceptable < answer.details["regret"] < DEFAULTS.verdict.noisy
    assert answer.verdict == NOISY
