"""`experiments/finder_regret.py`: every problem trains, sets are apart, truths are of them."""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np
import pytest
from few import few
from places import ROOT

import lrlab

FOLDER = ROOT / "experiments"
SETS = ("made", "checked", "sealed")

PARTS = 8
"""Into which all problems are put, so that workers share what takes minutes to compile."""


@pytest.fixture(scope="module")
def load():
    """A module of the experiment, imported as from its own folder, and forgotten afterwards."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module
    for name in {path.stem for path in FOLDER.glob("finder_regret*.py")} - before:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def problems(load):
    return load("finder_regret_problems")


def lanes_of(scores: np.ndarray, direction: str = "min", start: float = 2.0) -> dict:
    """A record of 61 rates and 54 seeds that all score the same, f64[61]; 30 are asked for, beside
    the 24 that all is read on."""
    values = np.broadcast_to(scores[:, None], (61, 54))
    return {
        "lr": 10 ** np.linspace(-6, 1.5, 61),
        "metric": np.stack([np.full_like(values, start), values]),
        "initial": np.full((61, 54), start),
        "outcome": np.full((61, 54), "ok"),
        "diverged_at": np.full((61, 54), -1),
        "steps_trained": np.full((61, 54), 20),
        "eval_steps": np.array([10, 20]),
        "direction": np.array(direction),
        "wanted": np.array(30),
    }


BOWL = (np.linspace(-6, 1.5, 61) + 2.5) ** 2 / 8
"""Scores with their best, 0, at 10^-2.5."""


def test_sets_are_apart_and_large_enough(problems):
    sets = problems.SETS
    assert tuple(sets) == SETS
    pairs = [pair for name in SETS for pair in sets[name]]
    assert len(set(pairs)) == len(pairs) >= 65
    assert len(sets["made"]) == 35
    assert len(sets["checked"]) >= 24
    assert len(sets["sealed"]) >= 22
    named = {name: {problem for problem, _ in sets[name]} for name in SETS}
    assert len(named["sealed"]) >= 14
    assert not named["sealed"] & (named["checked"] | named["made"])
    assert len({problems.version_of(name) for some in named.values() for name in some}) == len(
        set.union(*named.values())
    )
    for part, some in problems.PARTS.items():
        assert not set(some) & set(sets["sealed"]), part
    quick = [problems.set_of(pair) for pair in problems.PARTS["quick"]]
    assert sorted(quick) == ["checked"] * 4 + ["made"] * 2


def test_pairs_are_chosen_by_name_and_sealed_ones_only_from_their_set(problems):
    assert problems.chosen("default", "wine-lion,beale-adam") == [
        ("wine", "lion"),
        ("beale", "adam"),
    ]
    assert problems.chosen("made") == problems.SETS["made"]
    sealed = "-".join(problems.SETS["sealed"][0])
    assert len(problems.chosen("sealed", sealed)) == 1
    for some, text in (("default", sealed), ("checked", "wine-adam"), ("made", "wine-adamax")):
        with pytest.raises(ValueError, match=rf"no pair {text}; there are "):
            problems.chosen(some, text)


def test_gallery_lists_every_problem(problems):
    gallery = (FOLDER / "README.md").read_text()
    rows = [line.split(" | ") for line in gallery.splitlines() if line.startswith("| `")]
    told = {row[0].strip("| `"): [word.strip(" |") for word in row] for row in rows}
    for name in SETS:
        by_problem: dict[str, list[str]] = {}
        for problem, optimizer in problems.SETS[name]:
            by_problem.setdefault(problem, []).append(optimizer)
        for problem, optimizers in by_problem.items():
            assert told[problem][-1] == name, problem
            assert told[problem][2] == ", ".join(optimizers), problem


def test_version_is_of_code_and_not_of_comments(problems, monkeypatch):
    version = problems.version_of.__wrapped__
    text = problems.inspect.getsource(problems.FUNCTIONS["autoencoder"])
    real, before = problems.inspect.getsource, version("autoencoder")

    def changed(old: str, new: str) -> str:
        assert old in text
        source = lambda part: real(part).replace(old, new)  # noqa: E731
        monkeypatch.setattr(problems.inspect, "getsource", source)
        return version("autoencoder")

    assert changed("through 4 numbers", "through four numbers") == before
    assert changed("batch, key):", "batch, key):  # squared") == before
    assert changed("steps=200", "steps=201") != before


def built(problems, part):
    """(name, its first optimizer, the problem) of every one of a part whose data are here."""
    pairs = [pair for some in SETS for pair in problems.SETS[some]]
    for name in list(dict.fromkeys(name for name, _ in pairs))[part::PARTS]:
        try:
            problem = problems.problem_of(name)
        except lrlab.data.DataError:
            assert name in ("fashion_mnist", "mnist1d", "residual")  # what others install
            continue
        yield name, next(optimizer for known, optimizer in pairs if known == name), problem


@pytest.mark.parametrize("part", few(range(PARTS), 2))
def test_every_problem_can_be_built(problems, part):
    for name, optimizer, problem in built(problems, part):
        options = problem.swept(optimizer)
        lrlab.tasks.check(problem.task, options.get("batch_size"))  # traces, compiles nothing
        assert problem.direction in ("min", "max"), name
        assert problem.seeds >= 36, name
        assert 50 <= problem.steps <= 5000, name
        assert options["schedule"] in lrlab.schedules.NAMES, name


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_every_problem_trains(problems, part):
    for name, optimizer, problem in built(problems, part):
        options = {**problem.swept(optimizer), "steps": 2, "eval_every": 2}
        result = lrlab.sweep(
            problem.task, lr=[1e-4, 1e-3], seeds=1, progress=False, keep="none", **options
        )
        assert (result.outcome == "ok").all(), name
        values = result.history[problem.metric]
        assert values.shape == (1, 2, 1), name
        assert np.isfinite(values).all(), name
        assert np.isfinite(result.initial[problem.metric]).all(), name


def test_truth_of_a_maximized_metric_is_that_of_its_negative(load):
    judge = load("finder_regret_judge")
    least, most = judge.swept(lanes_of(BOWL)), judge.swept(lanes_of(-BOWL, "max", -2.0))
    np.testing.assert_allclose(most.regret, least.regret, atol=1e-12)
    assert most.best == least.best == 20
    assert (least.best_score, least.initial_score) == (0.0, 2.0)
    assert (most.best_score, most.initial_score) == (0.0, -2.0)
    truth = judge.truth_of(lanes_of(BOWL))
    regret, _ = judge.regret_at(truth, 10**-1.5)
    np.testing.assert_allclose(regret, 1 / 16, atol=1e-9)
    assert judge.regret_at(truth, 100.0) == (1.0, 0.0)


def test_best_is_chosen_on_other_seeds_than_all_is_read_on(load):
    judge, lanes = load("finder_regret_judge"), lanes_of(BOWL)
    metric = lanes["metric"].copy()
    metric[-1, 30, :24] = -1.0  # lucky where the best is chosen
    metric[-1, 10, 24:30] = -5.0  # what searches get is no matter
    truth = judge.swept({**lanes, "metric": metric})
    assert truth.best == 30 - 8
    np.testing.assert_allclose(truth.best_score, BOWL[30], atol=1e-12)
    expected = np.maximum((BOWL[8:57] - BOWL[30]) / (2 - BOWL[30]), 0)
    np.testing.assert_allclose(truth.regret, expected, atol=1e-12)


def test_bias_is_above_zero_where_the_fit_is_worse_than_the_data(load):
    judge = load("finder_regret_judge")
    evidence = [{"lr": 0.1, "scores": [1.0, 2.0, 3.0, 4.0, 5.0]}]
    fit = {"lr": [0.01, 1.0], "mean": [4.0, 4.0]}
    error = np.sqrt(2.5 / 5)
    np.testing.assert_allclose(judge.biases(evidence, fit), [1 / error], atol=1e-9)
    np.testing.assert_allclose(judge.biases(evidence, fit, "max"), [-1 / error], atol=1e-9)


def test_replay_gives_find_a_metric_to_be_maximized(load):
    replay = load("finder_regret_replay")
    train = replay.replayed(lanes_of(-BOWL, "max", -2.0), root=0)
    dropped = lambda step, scores: scores.losses[0] > 2.5  # noqa: E731
    scores = train(np.array([1e-6, 10**-2.5]), np.array([0, 0]), (10,), dropped)
    assert scores.direction == "max"
    np.testing.assert_allclose(scores.losses[0], 2.0, atol=1e-12)
    assert scores.steps_trained.tolist() == [10, 10]  # both were dropped
    plain = replay.replayed({k: v for k, v in lanes_of(BOWL).items() if k != "direction"}, 0)
    assert plain(np.array([0.1]), np.array([0])).direction == "min"


@pytest.fixture
def folder(tmp_path, problems):
    """A folder with the record of one pair."""
    version = np.array(problems.version_of("beale"))
    np.savez_compressed(tmp_path / "beale-adam.npz", **lanes_of(BOWL), version=version)
    return tmp_path


def test_record_is_read_where_it_is_whole_and_of_this_version(load, folder):
    record = load("finder_regret_record")
    path = folder / "beale-adam.npz"
    lanes = record.read(path)
    assert lanes["metric"].shape == (2, 61, 54)
    np.savez_compressed(path, **{**lanes, "wanted": np.array(31)})
    assert record.read(path) is None
    assert record.read(folder / "iris-adagrad.npz") is None
    np.savez_compressed(path, **{**lanes, "version": np.array("another")})
    with pytest.raises(ValueError, match=r"beale-adam\.npz: recorded from another version"):
        record.read(path)
    old = {k: v for k, v in lanes.items() if k not in ("direction", "wanted", "version")}
    np.savez_compressed(folder / "iris-adagrad.npz", **old)
    assert record.read(folder / "iris-adagrad.npz") is None  # 54 of 72 seeds
    more = {k: np.concatenate([v, v[..., :18]], -1) for k, v in old.items() if v.shape[-1] == 54}
    np.savez_compressed(folder / "iris-adagrad.npz", **{**old, **more})
    assert str(record.read(folder / "iris-adagrad.npz")["direction"]) == "min"


def test_truth_is_written_once_and_differences_are_said(load, folder):
    truth, judge = load("finder_regret_truth"), load("finder_regret_judge")
    path, pair = folder / "truth.json", ("beale", "adam")
    found = judge.swept(lanes_of(BOWL))
    assert truth.difference(pair, found, path) == ""  # none is committed
    assert truth.written(folder, [pair, ("iris", "adagrad")], path) == ["beale-adam"]
    assert truth.difference(pair, found, path) == ""
    worse = found._replace(regret=found.regret + 0.02 * (np.arange(49) > 40))
    assert truth.difference(pair, worse, path).startswith(
        "beale-adam: this record's truth differs from the committed one at 8 of 49 rates"
    )
    unsure = worse._replace(error=np.full(49, 0.02))
    assert truth.difference(pair, unsure, path) == ""
    whole = json.loads(path.read_text())
    whole["pairs"]["beale-adam"]["version"] = "another"
    path.write_text(json.dumps(whole))
    assert "of another version" in truth.difference(pair, found, path)


def test_committed_truths_are_of_these_problems(load, problems):
    whole = load("finder_regret_truth").loaded()
    np.testing.assert_allclose(whole["lr"], 10 ** np.linspace(-5, 1, 49), rtol=1e-4, atol=0)
    fields = {
        "set", "version", "direction", "steps", "seeds", "best_lr", "best_score", "initial_score",
        "regret", "error",
    }  # fmt: skip
    for name, entry in whole["pairs"].items():
        problem, optimizer = name.split("-")
        assert set(entry) == fields, name
        assert entry["set"] == problems.set_of((problem, optimizer)), name
        assert entry["version"] == problems.version_of(problem), name
        regret, error = np.array(entry["regret"]), np.array(entry["error"])
        assert regret.shape == error.shape == (49,), name
        assert np.isfinite(regret).all() and (regret >= 0).all() and (error >= 0).all(), name
        best = np.abs(np.log(np.array(whole["lr"]) / entry["best_lr"])).argmin()
        assert regret[best] == 0, name
        better = entry["initial_score"] - entry["best_score"]
        assert (better > 0) == (entry["direction"] == "min"), name
        assert entry["seeds"]["recorded"] >= 36, name


def test_summary_has_tables_for_each_set(load, capsys):
    rows = [
        {"problem": name, "optimizer": "adam", "set": some, "way": "valley", "cost": 0.5,
         "lr": 0.1, "regret": regret}
        for some, name, regret in (("made", "a", 0.1), ("checked", "b", 0.2), ("checked", "c", 0.3))
    ]  # fmt: skip
    load("finder_regret_summary").summaries(rows)
    said = " ".join(capsys.readouterr().out.split())
    assert said.index("made, 1 pairs") < said.index("10.00 %") < said.index("checked, 2 pairs")
    assert "25.00 %" in said


@pytest.mark.slow
def test_record_is_continued_and_goes_on_to_the_ramps(load, tmp_path):
    record, until = load("finder_regret_record"), float("-inf")
    assert record.recorded(tmp_path, "beale", "adam", until) is None
    lanes = record.recorded(tmp_path, "beale", "adam")
    assert lanes["metric"].shape == (20, 61, 72)
    assert (tmp_path / "beale-adam.npz").exists()
    (tmp_path / "beale-adam.json").unlink()
    again = record.recorded(tmp_path, "beale", "adam")
    assert again["picks"] == lanes["picks"]
    np.testing.assert_array_equal(again["metric"], lanes["metric"])
