"""Several lane axes with the promise of one: confidence against all of them, and when to stop."""

from __future__ import annotations

import numpy as np
import pytest
from axes_world import CURVATURE, START, World, search
from few import few

from lrlab.search import SearchSettings
from lrlab.search.joint import steps_between

VALUES = [0.0, 0.01, 0.1, 1.0]
SPEND = SearchSettings(confidence=None)


def easy() -> World:
    return World(
        best=lambda decay: 0.01 / (1 + 3 * decay),
        floor=lambda decay: 0.2 + 0.3 * np.abs(decay - 0.1),
        noise=0.003,
    )


def test_an_easy_surface_stops_early_and_a_hard_one_goes_on() -> None:
    answer = search(easy(), {"decay": VALUES})
    assert answer.confidence >= 0.9 and answer.details["at"] == {"decay": 0.1}
    assert answer.cost < 0.7 * answer.details["budget_runs"]
    assert max(len(row["seeds"]) for row in answer.evidence) > 1
    sureness = answer.details["sureness"]
    assert sureness[-1] == {"cost": answer.cost, "confidence": answer.confidence}
    assert all((row["confidence"] or 0) < 0.9 for row in sureness[:-1])
    hard = World(best=lambda decay: 0.01 + 0 * decay, floor=lambda decay: 0.2 + 0 * decay, own=0.15)
    answer = search(hard, {"decay": VALUES})
    assert answer.cost > 0.9 * answer.details["budget_runs"] and answer.resolved > 0.01


@pytest.mark.slow
def test_without_a_goal_the_budget_is_spent() -> None:
    answer = search(easy(), {"decay": VALUES}, budget_runs=40, settings=SPEND)
    assert 36 < answer.cost <= 40


@pytest.mark.parametrize(
    ("budget", "confidence"),
    few([(b, c) for c in (0.9, None) for b in (3.0, 7.5, 12.0, 24.0)], 3),
)
def test_the_budget_is_never_exceeded(budget, confidence) -> None:
    world = World(
        best=lambda decay: 0.01 + 0 * decay, floor=lambda decay: 0.2 + 0 * decay, own=0.02
    )
    settings = SearchSettings(confidence=confidence)
    answer = search(world, {"decay": VALUES}, budget_runs=budget, settings=settings)
    assert answer.cost <= budget + 1e-9


def surface(root: int) -> tuple[World, list[float]]:
    """A world and its floors: some flat, some not, of several noises."""
    random = np.random.default_rng(root)
    floors = 0.2 + random.choice([0.0, 0.01, 0.05, 0.2]) * random.uniform(0, 1, len(VALUES))
    slope = random.choice([0.0, 0.5, 1.0])
    middle = 10 ** random.uniform(-3, -1)
    table = dict(zip(VALUES, floors, strict=True))
    world = World(
        best=lambda decay: middle / (0.01 + decay) ** slope * 0.01**slope,
        floor=lambda decay: np.array([table[float(d)] for d in decay]),
        noise=random.choice([0.0, 0.01, 0.05]), own=random.choice([0.003, 0.01, 0.03]),
    )  # fmt: skip
    return world, floors.tolist()


@pytest.mark.slow
def test_confidence_is_not_above_what_the_truth_supports() -> None:
    """Of 60 searches of made-up surfaces, those that say 0.9 are right in as many, and the mean of
    what they say is no more than the share that is."""
    said, within = [], []
    for root in range(60):
        world, floors = surface(root)
        answer = search(world, {"decay": VALUES}, budget_runs=40)
        decay = np.array([answer.details["at"]["decay"]])
        optimum = float(world.best(decay=decay)[0])
        score = world.floor(decay=decay)[0] + CURVATURE * np.log10(answer.lr / optimum) ** 2
        within.append((score - min(floors)) / (START - min(floors)) <= 0.01)
        said.append(answer.confidence)
    said, within = np.array(said), np.array(within)
    sure = within[said >= 0.9]
    assert len(sure) >= 20 and sure.mean() >= 0.85
    assert said.mean() <= within.mean() + 2 * np.sqrt(0.25 / len(said))


def test_steps_are_counted_along_each_axis() -> None:
    combinations = [(0.0, 0.0), (0.1, 0.0), (1.0, 2.0)]
    steps = steps_between(combinations, [False, True])
    assert steps.tolist() == [[0, 1, 3], [1, 0, 2], [3, 2, 0]]
