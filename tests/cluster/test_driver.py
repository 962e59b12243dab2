"""Training in pieces gives the numbers of `engine.train`, wherever it is cut, stopped or tried."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
import pytest
import tiny
from pooled import SMALL

from lrlab import engine
from lrlab.cluster import driver
from lrlab.cluster.inline import Inline, inline
from lrlab.cluster.pool import Done, Pace
from lrlab.core.errors import WorkerError
from lrlab.core.records import NOT_RUN, OK
from lrlab.engine.kept import Keep, blank_kept
from lrlab.engine.layout import evaluation_steps
from lrlab.engine.plan import make_plan
from lrlab.engine.state import lane_shapes
from lrlab.types import Plan

STEPS = 24
RATES = (1e-3, 1e-2, 1e-1, 1.0, 1e30, 3.0, 5.0)


def halved(asked: list[int]):
    def decide(rung, record):
        asked.append(rung)
        return record.last_loss <= np.nanmedian(record.last_loss[record.outcome == NOT_RUN])

    return decide


def equal(one, other) -> None:
    assert one.metrics.keys() == other.metrics.keys()
    for name, metric in one.metrics.items():
        np.testing.assert_array_equal(metric.values, other.metrics[name].values, err_msg=name)
    for name, values in one.initial.items():
        np.testing.assert_array_equal(values, other.initial[name], err_msg=name)
    for name in ("outcome", "diverged_at", "last_loss", "steps_trained"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def given(stop_diverged: bool = True):
    problem = tiny.problem(steps=STEPS, stop_diverged=stop_diverged)
    lanes = tiny.grid(RATES)
    plan = make_plan(problem, tiny.data(), ("lr",), len(RATES), 2, Plan(4, 2, 7))
    return (problem, tiny.data(), lanes, plan)


OPTIONS = {"eval_steps": evaluation_steps(STEPS, 5), "indices": tiny.indices}


@pytest.mark.parametrize("pace", [SMALL, Pace(), Pace(longest=1e-9, shortest=1e9)])
@pytest.mark.parametrize("rungs", [(), (8, 13)])
def test_the_numbers_of_one_process(pace, rungs) -> None:
    asked, again = [], []
    keep = Keep("best") if rungs else Keep("last")
    shapes = lane_shapes(tiny.problem(steps=STEPS), tiny.data(), ("lr",))
    kept = [blank_kept(keep, shapes, 2 * len(RATES)) for _ in range(2)]
    judged = [{"rungs": rungs, "decide": halved(seen)} if rungs else {} for seen in (asked, again)]
    whole = engine.train(*given(), **OPTIONS, **judged[0], kept=kept[0])
    dealt = driver.train(inline, *given(), **OPTIONS, **judged[1], kept=kept[1], pace=pace)
    equal(whole, dealt)
    assert asked == again and asked == list(rungs)
    np.testing.assert_array_equal(kept[0].has, kept[1].has)
    assert kept[0].has.any()
    for one, other in zip(kept[0].leaves, kept[1].leaves, strict=True):
        np.testing.assert_array_equal(one[kept[0].has], other[kept[0].has])


def test_lanes_that_diverged_train_on_where_they_are_to() -> None:
    whole = engine.train(*given(stop_diverged=False), **OPTIONS)
    dealt = driver.train(inline, *given(stop_diverged=False), **OPTIONS, pace=SMALL)
    equal(whole, dealt)


class Failing(Inline):
    """A pool in which the pieces of some lanes fail so often."""

    times = 0
    failed: Sequence[float] = ()

    def finished(self, timeout: float) -> list[Done]:
        ticket, piece, _ = self._pieces[0]
        if 1.0 in piece.lanes.hyper["lr"] and len(self.failed) < self.times:
            self._pieces.popleft()
            self.failed = [*self.failed, 1.0]
            return [Done(ticket, None, None, OSError("no such wire"), "Traceback: the wire")]
        return super().finished(timeout)


def failing(times: int):
    @contextlib.contextmanager
    def opened(setting):
        pool = Failing(setting)
        pool.times = times
        yield pool

    return opened


def test_a_piece_that_fails_is_tried_again() -> None:
    equal(
        engine.train(*given(), **OPTIONS),
        driver.train(failing(2), *given(), **OPTIONS, pace=SMALL),
    )


class Committed:
    """A recorder that holds its last commit."""

    def __init__(self) -> None:
        self.commits: list = []

    def rows(self, *given) -> None:
        pass

    def due(self) -> bool:
        return False

    def commit(self, arrays, info) -> None:
        self.commits.append((arrays, info))


def test_what_fails_for_good_is_named_and_the_others_are_recorded() -> None:
    recorder = Committed()
    with pytest.raises(
        WorkerError, match=r"7 lanes .* failed 3 times .*OSError: no such"
    ) as caught:
        driver.train(failing(3), *given(), **OPTIONS, pace=SMALL, recorder=recorder)
    assert caught.value.traceback == "Traceback: the wire"
    ((arrays, info),) = recorder.commits
    assert info["cohort"] == 0 and (arrays["outcome"] == OK).any()


def test_errors_that_are_fatal_end_at_once() -> None:
    with pytest.raises(OSError, match="no such wire"):
        driver.train(failing(1), *given(), **OPTIONS, fatal=lambda error: True)


def test_workers_are_heard_of() -> None:
    heard = []
    driver.train(inline, *given(), **OPTIONS, progress=heard.append, pace=SMALL)
    assert {now.workers[1] for now in heard} == {1}
    assert heard[-1].done == heard[-1].total
