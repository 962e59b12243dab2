from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

import lrlab
from lrlab.cli.app import run as command
from lrlab.core.errors import ConfigError, FieldError, RunError
from lrlab.results.importing import Curve, import_curves

HEAD = "eta,rng,iteration,loss\n"


def table(rates=(0.001, 0.01, 0.1, 1.0), seeds=(0, 1), steps=(0, 10, 20)) -> str:
    rows = [
        f"{lr},{seed},{step},{2.3 - step / 20 * (2 - abs(np.log10(lr) + 2)) + 0.01 * seed}"
        for lr in rates
        for seed in seeds
        for step in steps
    ]
    return HEAD + "\n".join(rows) + "\n"


COLUMNS = ["--lr", "eta", "--step", "iteration", "--value", "loss", "--seed", "rng"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.csv").write_text(table())
    return tmp_path


def test_a_table_becomes_a_run(here, capsys) -> None:
    assert command(["import", "csv", "long.csv", *COLUMNS, "--out", "r", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["lanes"] == {"ok": 8, "pruned": 0, "diverged": 0} and said["best"]["lr"]
    result = lrlab.load("r")
    assert result.lr.tolist() == [0.001, 0.01, 0.1, 1.0] and result.metric == "loss"
    assert result.eval_steps.tolist() == [10, 20] and (result.initial["loss"][:, 0] == 2.3).all()
    assert_allclose(result.final["loss"][1], [0.3, 0.31], atol=1e-12)
    answer = result.best()
    assert answer.cost == 8 and answer.confidence is not None
    assert answer.interval[0] <= 0.01 <= answer.interval[1]
    for words in (
        ["show", "r"],
        ["export", "r", "--per", "step"],
        ["report", "r"],
        ["doctor", "r"],
    ):
        assert command(words) == 0, words
    assert not (here / "r" / "figures" / "probes.png").exists()


@pytest.mark.parametrize(
    "words", [["resume"], ["reproduce"], ["replay"], ["resume", "--set", "steps=9"]]
)
def test_what_cannot_work_says_so(here, capsys, words) -> None:
    assert command(["import", "csv", "long.csv", *COLUMNS, "--out", "r"]) == 0
    assert command([words[0], "r", *words[1:]]) == 2
    assert "holds curves from elsewhere" in capsys.readouterr().err
    with pytest.raises(RunError, match="holds curves from elsewhere"):
        lrlab.load("r").params(lr=0.1, seed=0)


@pytest.mark.parametrize(
    ("text", "options", "place", "message"),
    [
        (table(), COLUMNS[2:], "long.csv:1: lr", "there is no such column"),
        (table(), COLUMNS[:-2], "long.csv:5: iteration", "a second value"),
        (HEAD + "0.1,0,1.5,2\n", COLUMNS, "long.csv:2: iteration", "no whole number"),
        (HEAD + "fast,0,1,2\n", COLUMNS, "long.csv:2: eta", "no number"),
        (HEAD + "0.1,0,1\n", COLUMNS, "long.csv:2", "4 cells"),
        (HEAD + "0.1,0,1,\n", COLUMNS, "long.csv", "no row has a value"),
        (HEAD, COLUMNS, "long.csv", "no row has a value"),
        ("", COLUMNS, "long.csv:1", "there is no such column"),
        (HEAD + "-0.1,0,1,2\n", COLUMNS, "lr", "above 0"),
        (table(), [*COLUMNS, "--where", "rng"], "--where", "NAME=VALUE"),
        (table(), [*COLUMNS, "--where", "rgn=1"], "long.csv:1: rgn", "no such column"),
        (table(), [*COLUMNS, "--delimiter", "::"], "--delimiter", "one character"),
        (table(), [*COLUMNS, "--metric", "train_loss"], "metric", "choose another name"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(here, capsys, text, options, place, message) -> None:
    (here / "long.csv").write_text(text)
    assert command(["import", "csv", "long.csv", *options, "--out", "r"]) == 2
    error = capsys.readouterr().err
    assert place in error and message in error and not (here / "r").exists()


def test_lanes_that_end_early_or_are_not_finite() -> None:
    curves = [
        Curve(0.1, None, [1, 2, 3], [3.0, 2.0, 1.0]),
        Curve(0.1, None, [1, 2], [3.0, 2.5]),
        Curve(1.0, None, [1, 2, 3], [3.0, np.inf, 1.0]),
        Curve(2.0, None, [1], [2.0], True),
    ]
    record = import_curves(curves, direction="max", metric="score", out=None).record
    assert record.outcome_names.tolist() == [["ok", "pruned"], ["diverged", "not_run"],
                                             ["ok", "not_run"]]  # fmt: skip
    assert record.steps_trained.tolist() == [[3, 2], [1, 0], [3, 0]]
    assert record.diverged_at[1, 0] == 1 and record.metrics["score"].direction == "max"
    assert record.metrics["score"].values[-1, 2, 0] == 2.0


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_curves_that_make_no_sense() -> None:
    twice = [Curve(0.1, 0, [1], [1.0])] * 2
    for curves, field in (
        ([], "curves"), (twice, "seed"), ([Curve(0.1, 0, [2, 1], [1.0, 1.0])], "step"),
        ([Curve(0.1, 0, [0], [1.0])], "step"),
        ([Curve(0.1, 0, [1], [1.0]), Curve(0.1, None, [1], [1.0])], "seed"),
    ):  # fmt: skip
        with pytest.raises(FieldError) as caught:
            import_curves(curves)
        assert caught.value.field == field


class TestOptuna:
    @pytest.fixture
    def storage(self, tmp_path):
        optuna = pytest.importorskip("optuna")
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "j.log"))
        yield optuna.storages.JournalStorage(backend)
        optuna.logging.set_verbosity(level)

    def study(self, storage, name="mine", **options):
        import optuna

        return optuna.create_study(storage=storage, study_name=name, **options)

    def add(self, study, lr, values, state="COMPLETE", **params):
        import optuna

        rate = optuna.distributions.FloatDistribution(1e-5, 10.0, log=True)
        other = {name: optuna.distributions.IntDistribution(0, 99) for name in params}
        state = optuna.trial.TrialState[state]
        study.add_trial(
            optuna.trial.create_trial(
                state=state, value=values[-1] if state.name == "COMPLETE" else None,
                params={"learning_rate": lr, **params},
                distributions={"learning_rate": rate, **other},
                intermediate_values=dict(enumerate(values)),
            )
        )  # fmt: skip

    def test_trials_are_lanes(self, storage, tmp_path) -> None:
        study = self.study(storage, direction="maximize")
        for lr in (0.001, 0.01, 0.01, 0.1):
            self.add(study, lr, [0.1, 0.5, 0.9 - abs(np.log10(lr) + 2) / 4])
        self.add(study, 0.3, [0.1], "PRUNED")
        self.add(study, 1.0, [0.1, float("nan")], "FAIL")
        self.add(study, 2.0, [0.1, 0.2], "FAIL")
        result = lrlab.import_optuna(str(tmp_path / "j.log"), out=tmp_path / "r")
        assert result.lr.tolist() == [0.001, 0.01, 0.1, 0.3, 1.0]
        assert result.outcome[:, 0].tolist() == ["ok", "ok", "ok", "pruned", "diverged"]
        assert result.outcome[1, 1] == "ok" and result.eval_steps.tolist() == [1, 2, 3]
        assert result.directions["objective"] == "max" and result.best().lr < 0.3
        source = lrlab.runs.read_info(tmp_path / "r")["imported"]
        assert source["left_out"] == {"fail": 1} and source["imported"] == 6

    def test_what_is_wrong_is_said(self, storage, tmp_path) -> None:
        place = str(tmp_path / "j.log")
        study = self.study(storage)
        self.add(study, 0.1, [1.0, 0.5], width=1)
        self.add(study, 0.2, [1.0, 0.4], width=2)
        with pytest.raises(ConfigError, match=r"trials differ in width too"):
            lrlab.import_optuna(place)
        assert lrlab.import_optuna(place, ignore=["width"]).lr.tolist() == [0.1, 0.2]
        assert lrlab.import_optuna(place, where={"width": "2"}).lr.tolist() == [0.2]
        assert lrlab.import_optuna(place, seed="width").seeds.tolist() == [1, 2]
        for options, field in (
            ({"study": "mien"}, "--study"), ({"lr": "rate", "ignore": ["width"]}, "--lr"),
            ({"ignore": ["depth", "width"]}, "--ignore"), ({"seed": "learning_rate"}, "--study"),
            ({"where": {"width": "7"}}, "--study"),
        ):  # fmt: skip
            with pytest.raises(ConfigError) as caught:
                lrlab.import_optuna(place, **options)
            assert caught.value.problems[0].file == field
        with pytest.raises(ConfigError, match="is no file"):
            lrlab.import_optuna("sqlite:///absent.db")
        assert not (tmp_path / "absent.db").exists()
        self.study(storage, "two")
        with pytest.raises(ConfigError, match="there are mine, two"):
            lrlab.import_optuna(place)
