"""Runs that workers began are continued in one process, and the reverse, to the same bits."""

from __future__ import annotations

import json

import pytest
from pooled import in_pieces
from stopped_runs import SWEEP, equal, stopped, written

import lrlab
from lrlab.cli.app import run as command
from lrlab.training.progress import Control

BEST = SWEEP + 'keep = "best"\n'
FIND = """
steps = 30
seeds = 2
batch_size = 16
budget = 12
task.name = "iris-linear"
optimizer.name = "sgd"
plan = {tile_width = 4, segment_steps = 5}
"""


@pytest.fixture
def every_commit(monkeypatch):
    monkeypatch.setattr("lrlab.runs.recorder.INTERVAL", 0.0)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        pytest.param(SWEEP, 12, marks=pytest.mark.slow),
        (FIND, 12),
        pytest.param(SWEEP, 3, marks=pytest.mark.slow),
        pytest.param(FIND, 30, marks=pytest.mark.slow),
        pytest.param(BEST, 3, marks=pytest.mark.slow),
        pytest.param(BEST, 12, marks=pytest.mark.slow),
    ],
)
def test_begun_by_workers_and_continued_here(text, after, tmp_path, monkeypatch, every_commit):
    path, kind = written(tmp_path, text), "find" if text is FIND else "sweep"
    assert command([kind, path, "--out", str(tmp_path / "whole"), "-q"]) == 0
    with monkeypatch.context() as patch:
        in_pieces(patch)
        stopped(patch, after=after)
        assert command([kind, path, "--on", "ray", "--out", str(tmp_path / "run"), "-q"]) == 130
    assert command(["resume", str(tmp_path / "run"), "--on", "local", "-q"]) == 0
    equal(tmp_path / "run", tmp_path / "whole")
    answers = [
        json.loads((tmp_path / name / "summary.json").read_text()) for name in ("run", "whole")
    ]
    for answer in answers:
        answer.pop("seconds"), answer.pop("run", None), answer.pop("best", None)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("text", [SWEEP, pytest.param(FIND, marks=pytest.mark.slow)])
def test_begun_here_and_continued_by_workers(text, tmp_path, monkeypatch, every_commit):
    path, kind = written(tmp_path, text), "find" if text is FIND else "sweep"
    assert command([kind, path, "--out", str(tmp_path / "whole"), "-q"]) == 0
    with monkeypatch.context() as patch:
        stopped(patch, after=2)
        assert command([kind, path, "--out", str(tmp_path / "run"), "-q"]) == 130
    with monkeypatch.context() as patch:
        in_pieces(patch)
        assert command(["resume", str(tmp_path / "run"), "--on", "ray", "-q"]) == 0
    equal(tmp_path / "run", tmp_path / "whole")


@pytest.mark.slow
def test_weights_that_are_kept_are_those_of_one_process(tmp_path, monkeypatch, every_commit):
    options = dict(lr=[0.01, 0.1], seeds=2, steps=20, batch_size=16, optimizer="adam",
                   progress=False, plan=lrlab.Plan(2, None, 4))  # fmt: skip
    for keep in ("last", "best"):
        whole = lrlab.sweep("iris-linear", keep=keep, out=tmp_path / keep, **options)
        place = tmp_path / f"{keep}-in-pieces"
        with monkeypatch.context() as patch:
            in_pieces(patch)
            with monkeypatch.context() as inner:
                stopped(inner, after=9)
                with pytest.raises(lrlab.training.session.engine.loop.Interrupted):
                    lrlab.sweep("iris-linear", keep=keep, out=place, on="ray", **options)
            dealt = lrlab.sweep("iris-linear", keep=keep, out=place, on="ray", **options)
            bare = lrlab.sweep("iris-linear", keep=keep, on="ray", **options)
        for seed in (0, 1):
            wanted = whole.params(lr=0.1, seed=seed)
            for result in (dealt, bare, lrlab.load(place)):
                found = result.params(lr=0.1, seed=seed)
                assert str(found) == str(wanted)


@pytest.mark.slow
def test_a_longer_run_goes_on_from_what_workers_stored(tmp_path, monkeypatch, every_commit):
    path = written(tmp_path, SWEEP)
    with monkeypatch.context() as patch:
        in_pieces(patch)
        assert command(["sweep", path, "--on", "ray", "--out", str(tmp_path / "run"), "-q"]) == 0
        longer = ["resume", str(tmp_path / "run"), "--set", "steps=36", "-q"]
        assert command(longer) == 0
    assert command(["sweep", path, "--out", str(tmp_path / "alone"), "-q"]) == 0
    assert command(["resume", str(tmp_path / "alone"), "--set", "steps=36", "-q"]) == 0
    equal(tmp_path / "run", tmp_path / "alone")


def test_a_failed_piece_leaves_its_traceback_in_the_folder(tmp_path, monkeypatch, capsys):
    from test_driver import failing

    path = written(tmp_path, SWEEP.replace("0.05", "1.0"))
    with monkeypatch.context() as patch:
        in_pieces(patch)
        patch.setattr(lrlab.workflows.job, "on_ray", lambda on, own: failing(3))
        assert command(["sweep", path, "--on", "ray", "--out", str(tmp_path / "run"), "-q"]) == 3
    said = capsys.readouterr().err
    assert "failed 3 times" in said and "worker_error.txt" in said and "lrlab resume" in said
    assert (tmp_path / "run" / "worker_error.txt").read_text() == "Traceback: the wire"
    assert command(["resume", str(tmp_path / "run"), "--on", "local", "-q"]) == 0


def test_a_stop_is_asked_for_between_pieces(tmp_path, monkeypatch):
    in_pieces(monkeypatch)
    asked: list[int] = []
    control = Control(stop=lambda: bool(asked.append(1)))
    experiment = lrlab.config.from_arguments(
        "sweep", task="iris-linear", lr=[0.1], seeds=1, steps=6, on="ray"
    )
    lrlab.api.run("sweep", experiment, out=tmp_path / "run", progress=False, control=control)
    assert asked
