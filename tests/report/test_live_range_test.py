"""A range test while it runs: its curves so far, how far it is, and no rule's pick yet."""

from __future__ import annotations

import io

import numpy as np
import pytest
from live_run import RATES, STEPS, LiveRun, losses
from numpy.testing import assert_allclose
from rich.console import Console

from lrlab.report import renderable
from lrlab.report.content import standing
from lrlab.report.content.reading import read_live, with_picks
from lrlab.report.html import page
from lrlab.search.range_test import ladder, losses_of, losses_so_far

RAMP = '\n[range_test]\nkind = "ramp"\nsplit = "train"\nstart = 1e-3\nend = 1.0\nnum_steps = 60\n'
PARALLEL = RAMP.replace("ramp", "parallel").replace("end = 1.0", "end = 10.0").replace("60", "9")


@pytest.fixture
def ramp(tmp_path):
    run = LiveRun(tmp_path / "ramp", "range-test", rates=np.array([1.0]), more=RAMP)
    run.advance(20)
    yield run
    run.run.close("interrupted")


@pytest.fixture
def parallel(tmp_path):
    run = LiveRun(tmp_path / "parallel", "range-test", more=PARALLEL)
    run.advance(20)
    yield run
    run.run.close("interrupted")


def words_of(data):
    console = Console(width=100, file=io.StringIO())
    console.print(renderable(data))
    return " ".join(console.file.getvalue().replace("│", "").split())


def test_a_ramp_has_its_curve_so_far(ramp):
    data = read_live(ramp.path)
    assert data.test is not None and data.test.loss.shape == (2, STEPS)
    assert np.isfinite(data.test.loss[:, :20]).all() and np.isnan(data.test.loss[:, 20:]).all()
    assert_allclose(standing.rate_reached(data), ladder(1e-3, 1.0, STEPS)[19], 1e-12, atol=0)
    assert standing.best_so_far(data) is None
    ramp.advance(40)
    assert_allclose(
        standing.rate_reached(read_live(ramp.path)), ladder(1e-3, 1.0, STEPS)[39], 1e-12, atol=0
    )


def test_of_a_parallel_test_every_lane_counts_as_it_is(parallel):
    data = read_live(parallel.path)
    assert data.test is not None and standing.rate_reached(data) is None
    expected = losses(RATES, np.arange(20))[-2:].mean(0)
    assert_allclose(data.test.loss, np.tile(expected, (2, 1)), 1e-6, atol=0)


def test_what_ended_counts_as_it_does_at_the_end():
    train = np.random.default_rng(0).random((30, 4, 2))
    train[7:, 3] = np.nan  # diverged
    expected = losses_of("parallel", "train", train, {})
    nobody = np.zeros((4, 2), bool)
    assert_allclose(losses_so_far("parallel", "train", train, {}, nobody), expected, atol=0)
    valid = {"valid_loss": np.array([3.0, 1.0, np.nan]).reshape(3, 1, 1)}
    under_way = np.ones((1, 1), bool)
    assert losses_so_far("parallel", "valid", train, valid, under_way).tolist() == [[1.0]]


@pytest.mark.parametrize("kind", ["ramp", "parallel"])
def test_no_rule_says_anything_before_the_end(kind, request):
    data = read_live(request.getfixturevalue(kind).path)
    numbers = page.numbers_of([data])["runs"][0]
    assert numbers["test"]["kind"] == kind and numbers["picks"] == {}
    (pieces,) = page.pieces_of([data])
    assert "rule suggests" not in pieces.tables and "Training, 33 %" in pieces.facts
    assert "Best so far" not in pieces.facts and ("rate now" in pieces.facts) == (kind == "ramp")
    assert with_picks([data, data._replace(test=None)])[1].suggestions == {}


@pytest.mark.parametrize("kind", ["ramp", "parallel"])
def test_the_terminal_shows_the_curve_so_far(kind, request):
    words = words_of(read_live(request.getfixturevalue(kind).path))
    assert "train_loss against learning rate" in words and "0.001" in words and "█" in words
    assert words.count("▁") < 10  # rates that were not tried yet are blank
    assert "valley" not in words
    assert ("The ramp is at learning rate 0.00925" in words) == (kind == "ramp")
