"""`score`: what of a lane's evaluations decides, in sweeps, searches, comparisons and studies."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

import lrlab
from lrlab.cli.app import run
from lrlab.config import from_arguments, resolve
from lrlab.core.errors import RunError
from tests.overfitting import BY_FINAL, SETTINGS, overfitting

LOWEST = 3.6e-4
RATES = lrlab.log_grid(LOWEST, 0.3, 27)
"""0.12, one of those that are stable, comes closer to w = 0.5 than those about it."""

TASK = overfitting()

DIGEST = "688724c0fbacf5ae1fe5b208fb7360662cff36f0ab7733b8d49b8fbfd392caba"
"""Of `find` on wine-mlp with every default, before there was a score."""


def sweep(**changed) -> lrlab.Result:
    return lrlab.sweep(TASK, **{**SETTINGS, "lr": RATES, **changed})


def test_the_best_rate_by_the_final_loss_and_by_the_best_evaluation() -> None:
    result = sweep()
    final, best = result.best(), result._replace(score="best").best()
    assert final.lr == pytest.approx(BY_FINAL, rel=0.5)
    assert best.lr > 10 * final.lr and "Judged by best valid_loss over the run." in best.sentence
    assert "Judged" not in final.sentence and "score" not in final.details


@pytest.mark.parametrize(("score", "factor"), [("last", 1), ("best", 10)])
def test_a_search_decides_by_its_score(score, factor) -> None:
    answer = lrlab.find(TASK, **SETTINGS, lr_range=(LOWEST, 0.3), score=score, budget=15)
    assert factor * 0.5 * BY_FINAL < answer.lr < (100 if factor > 1 else 2) * BY_FINAL
    assert answer.details.get("score", "last") == score


def test_the_scores_of_a_sweep() -> None:
    result = sweep(lr=[1e-3, 0.1, 30.0], score="best")
    valid = result.history["valid_loss"]
    finished = result.outcome == "ok"
    assert finished.any() and not finished.all()
    best = np.where(finished, np.nanmin(valid, 0), np.nan)
    np.testing.assert_array_equal(result.scores("valid_loss"), best)
    last = result._replace(score="last").scores()
    np.testing.assert_array_equal(last, result.final["valid_loss"])
    mean = result._replace(score="mean:3").scores()
    np.testing.assert_allclose(mean[finished], valid[-3:].mean(0)[finished], rtol=1e-6, atol=1e-9)
    assert mean.dtype == valid.dtype and result.final["valid_loss"].shape == mean.shape
    train = result._replace(score="mean:3").scores("train_loss")
    expected = result.history["train_loss"][-3:].mean(0)
    np.testing.assert_allclose(train[finished], expected[finished], rtol=1e-6, atol=1e-9)


def test_a_finished_sweep_is_read_with_another_score(tmp_path) -> None:
    first = sweep(out=tmp_path / "run")
    summary = (tmp_path / "run/summary.json").read_bytes()
    again = sweep(out=tmp_path / "run", score="best")
    assert again.score == "best" and first.score == "last"
    assert again.best().lr > 10 * first.best().lr
    assert (tmp_path / "run/summary.json").read_bytes() == summary
    assert lrlab.load(tmp_path / "run").score == "last"


def test_the_score_is_kept_with_the_run(tmp_path) -> None:
    result = sweep(out=tmp_path / "run", score="mean:4")
    loaded = lrlab.load(tmp_path / "run")
    assert loaded.score == "mean:4" and loaded.best().sentence == result.best().sentence
    result.save(tmp_path / "saved")
    assert lrlab.load(tmp_path / "saved").score == "mean:4"
    page = (tmp_path / "run/report.html").read_text()
    assert "Best mean valid_loss averaged over the last 4 evaluations" in page


def test_the_default_leaves_text_and_digest_as_they_were() -> None:
    plain, last, best = (
        from_arguments("find", task="wine-mlp", **some)
        for some in ({}, {"score": "last"}, {"score": "best"})
    )
    assert "score" not in tomllib.loads(resolve(plain, command="find").text)
    assert tomllib.loads(resolve(best, command="find").text)["score"] == "best"
    texts, digests = (
        [getattr(resolve(one, command="find"), name) for one in (plain, last, best)]
        for name in ("text", "digest")
    )
    assert texts[0] == texts[1] and digests[0] == digests[1] != digests[2]
    assert digests[0] == DIGEST
    sweeps = [
        from_arguments("sweep", task="wine-mlp", lr=[0.1], score=score)
        for score in ("last", "best")
    ]
    assert len({resolve(one, command="sweep").digest for one in sweeps}) == 1


def test_another_score_is_another_search(tmp_path) -> None:
    arguments = {**SETTINGS, "lr_range": (LOWEST, 0.3), "budget": 2, "out": tmp_path / "run"}
    lrlab.find(TASK, **arguments)
    with pytest.raises(RunError, match="score: absent -> 'best'"):
        lrlab.find(TASK, **arguments, score="best")


def test_comparisons_and_studies_say_the_score() -> None:
    shared = {**SETTINGS, "lr_range": (LOWEST, 0.3), "budget": 6}
    entries = {"stopped early": {"score": "best"}, "to the end": {}}
    mixed = lrlab.compare(entries, task=TASK, **shared)
    assert mixed.score is None and "[best valid_loss over the run]" in mixed.sentence
    both = lrlab.compare({"a": {}, "b": {"steps": 50}}, task=TASK, score="best", **shared)
    assert both.score == both.payload()["score"] == "best"
    assert both.sentence.endswith("Judged by best valid_loss over the run.")
    rest = {key: value for key, value in SETTINGS.items() if key != "steps"}
    study = lrlab.study(TASK, axis="steps", values=[50, 100], score="best", lr=RATES, **rest)
    assert study.sentence.endswith("Judged by best valid_loss over the run.")


def test_a_finished_study_of_sweeps_is_read_with_another_score(tmp_path) -> None:
    rest = {key: value for key, value in SETTINGS.items() if key != "steps"}
    arguments = {"axis": "steps", "values": [50, 100], "lr": RATES, "out": tmp_path / "s", **rest}
    last = lrlab.study(TASK, **arguments)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    best = lrlab.study(TASK, **arguments, score="best")
    assert all(path.stat().st_mtime_ns == before[path] for path in before)
    pairs = list(zip(last.groups, best.groups, strict=True))
    assert all(early.interval[1] > 10 * late.interval[1] for late, early in pairs)
    np.testing.assert_equal(lrlab.study(TASK, **arguments).payload(), last.payload())


@pytest.mark.parametrize("score", ["last", "best", "mean:2"])
def test_members_of_a_population_are_judged_by_their_score(score) -> None:
    shared = {"steps": 40, "generations": 8, "optimizer": "sgd", "batch_size": 2, "fraction": 0.25}
    members = lrlab.population(TASK, lr=[1e-3, 3e-2, 0.1, 0.2], score=score, **shared)
    assert members.score == score
    # By hand: gradient descent on (w - 1)^2, judged by (w - 0.5)^2, along each member's line.
    lines = [[] for _ in range(4)]
    weights = np.zeros(4)
    for generation in range(8):
        weights = 1 - (1 - weights) * (1 - 2 * members.hyper["lr"][generation]) ** 5
        lines = [[*line, (w - 0.5) ** 2] for line, w in zip(lines, weights, strict=True)]
        count = {"last": 1, "mean:2": 2}.get(score)
        expected = [min(line) if count is None else np.mean(line[-count:]) for line in lines]
        np.testing.assert_allclose(members.scores[generation], expected, rtol=1e-4, atol=1e-6)
        if generation < 7:
            source = members.source[generation]
            weights, lines = weights[source], [lines[one] for one in source]


def test_a_score_that_is_none_is_named_with_its_place(tmp_path, capsys) -> None:
    config = tmp_path / "sweep.toml"
    config.write_text('steps = 5\nscore = "bset"\nlr = [0.1]\ntask.name = "wine-linear"\n')
    assert run(["sweep", str(config), "--out", str(tmp_path / "run")]) == 2
    assert f'{config}:2: score: must be "last"' in capsys.readouterr().err
    assert run(["sweep", str(config), "--set", "score=mean:0", "--out", str(tmp_path / "run")]) == 2
    assert "got 'mean:0'" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_a_run_is_read_with_another_score_from_the_shell(tmp_path, capsys) -> None:
    config, place = tmp_path / "sweep.toml", str(tmp_path / "run")
    config.write_text('steps = 5\nlr = [0.1, 0.2]\ntask.name = "wine-linear"\n')
    shell = ["sweep", str(config), "--out", place, "--json", "--quiet"]
    assert run(shell) == 0 and "score" not in json.loads(capsys.readouterr().out)
    assert run([*shell, "--set", "score=mean:2"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (
        again["score"] == "mean:2" and "Judged by valid_loss averaged" in again["best"]["sentence"]
    )
    assert run(["resume", place, "--set", "score=best", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["score"] == "best"
