"""What loggers are handed: each evaluation once, after its commit, whatever happens in between."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from typing import Any

import numpy as np
import pytest
from few import few
from stopped_runs import stopped

import lrlab
from lrlab import api, config, loggers, runs
from lrlab.cli.app import run as command
from lrlab.core.errors import Interrupted
from lrlab.runs import recorder
from lrlab.training import logs


class Memory:
    """A logger that keeps what it is handed."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def start(self, config: dict[str, Any]) -> int | None:
        self.calls.append(("start", config))
        return None

    def lanes(self, step: int, metrics: Any) -> None:
        self.calls.append(("lanes", (step, dict(metrics))))

    def finish(self, summary: dict[str, Any], files: Any) -> None:
        self.calls.append(("finish", (summary, [file.name for file in files])))

    def of(self, kind: str) -> list[Any]:
        return [what for name, what in self.calls if name == kind]

    @property
    def steps(self) -> list[int]:
        return [step for step, _ in self.of("lanes")]


def swept(**arguments: Any) -> lrlab.Result:
    shared: dict[str, Any] = {
        "optimizer": "sgd", "lr": [0.01, 0.1, 1e38], "steps": 40, "seeds": 2, "batch_size": 16,
        "eval_every": 10, "progress": False, "plan": lrlab.Plan(2), "schedule": "constant",
    }  # fmt: skip
    return lrlab.sweep("wine-linear", **{**shared, **arguments})


@pytest.mark.parametrize("recorded", few([True, False], 1))
def test_what_a_logger_is_handed(tmp_path, recorded):
    memory = Memory()
    assert isinstance(memory, lrlab.Logger)
    result = swept(log=memory, out=tmp_path / "run" if recorded else None)
    assert [name for name, _ in memory.calls] == ["start", *["lanes"] * 4, "finish"]
    (told,) = memory.of("start")
    assert told["lanes"] == {"lr": [0.01, 0.1, 1e38], "seed": [0, 1]} and told["first_step"] == 0
    assert told["command"] == "sweep" and told["experiment"]["optimizer"]["name"] == "sgd"
    assert told["run"] == (str(tmp_path / "run") if recorded else None)
    assert memory.steps == [10, 20, 30, 40]
    for row, (step, metrics) in enumerate(memory.of("lanes")):
        assert set(metrics) == set(result.history)
        for name, values in metrics.items():
            place = row if name in result.evaluated else step - 1
            np.testing.assert_array_equal(values, result.history[name][place])
    ((summary, files),) = memory.of("finish")
    assert summary["best"]["lr"] == result.best().lr and summary["lanes"] == 6
    assert files == (["config.toml", "summary.json"] if recorded else [])
    if recorded:
        assert runs.read_info(tmp_path / "run")["status"] == "finished"
        assert not runs.check(tmp_path / "run")


def test_cohorts_are_logged_when_the_last_one_comes_by(monkeypatch):
    monkeypatch.setattr("lrlab.engine.loop._capacity", lambda group, saved, hold_all: 2)
    memory = Memory()
    result = swept(log=memory, lr=[0.01, 0.1])
    assert memory.steps == [10, 20, 30, 40]
    for row, (_, metrics) in enumerate(memory.of("lanes")):
        np.testing.assert_array_equal(metrics["valid_loss"], result.history["valid_loss"][row])
        assert np.isfinite(metrics["valid_loss"]).all()


def test_steps_that_no_lane_came_to_are_not_logged():
    memory = Memory()
    swept(log=memory, lr=[1e38])
    assert memory.steps == [] and len(memory.of("finish")) == 1


def test_a_search_is_logged_stage_by_stage(tmp_path):
    memory = Memory()
    lrlab.find(
        "wine-linear", optimizer="sgd", steps=20, seeds=2, batch_size=16, budget=12,
        progress=False, log=[memory], out=tmp_path / "run",
    )  # fmt: skip
    told = memory.of("start")
    assert [one["stage"] for one in told] == list(range(len(runs.stages(tmp_path / "run"))))
    assert [one["first_step"] for one in told] == [20 * one["stage"] for one in told]
    stage = -1
    for name, what in memory.calls:
        if name == "start":
            stage += 1
            shape = tuple(len(values) for values in what["lanes"].values())
            name = "" if stage == 0 else f"stage{stage}"
            record = runs.read_stage(tmp_path / "run", name)
        elif name == "lanes":
            row = record.eval_steps.tolist().index(what[0])
            assert what[1]["valid_loss"].shape == shape
            np.testing.assert_array_equal(
                what[1]["valid_loss"], record.evaluated["valid_loss"][row]
            )


def test_a_continued_run_logs_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "INTERVAL", 0.0)  # every segment
    stopped(monkeypatch, after=2)
    before = Memory()
    with pytest.raises(Interrupted):
        swept(log=before, out=tmp_path / "run")
    assert before.steps in ([], [10], [10, 20]) and not before.of("finish")
    monkeypatch.undo()
    after = Memory()
    swept(log=after, out=tmp_path / "run")
    assert before.steps + after.steps == [10, 20, 30, 40] and len(after.of("finish")) == 1


def test_a_logger_may_say_what_it_holds(tmp_path):
    class Holds20(Memory):
        def start(self, config: dict[str, Any]) -> int:
            super().start(config)
            return 20

    memory = Holds20()
    swept(log=[memory], out=tmp_path / "run")
    assert memory.steps == [30, 40]


class Broken(Memory):
    """A logger that fails at update 20, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def lanes(self, step: int, metrics: Any) -> None:
        if step == 20 and self.times:
            self.times -= 1
            raise OSError("no route to host\nand more")
        super().lanes(step, metrics)


def test_one_that_raises_is_said_once_and_costs_no_training(tmp_path, capsys):
    broken, memory = Broken(99), Memory()
    alone = swept()
    result = swept(log=[broken, memory], out=tmp_path / "run")
    np.testing.assert_array_equal(result.history["valid_loss"], alone.history["valid_loss"])
    assert broken.steps == [10] and memory.steps == [10, 20, 30, 40]
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "log: Broken failed, and training continues without it: OSError: no route to host",
        "log: Broken does not have all of this run: OSError: no route to host",
    ]
    info = runs.read_info(tmp_path / "run")
    assert info["status"] == "finished"
    assert info["log_failed"] == {"Broken": "OSError: no route to host"}


def test_one_that_failed_for_a_moment_has_all_in_the_end(tmp_path):
    broken = Broken(1)
    swept(log=[broken], out=tmp_path / "run")
    assert broken.steps == [10, 20, 30, 40] and len(broken.of("finish")) == 1
    assert "log_failed" not in runs.read_info(tmp_path / "run")


def test_resume_says_which_loggers_only_the_script_has(tmp_path, monkeypatch, capsys):
    path = tmp_path / "one.toml"
    path.write_text('steps = 20\nbatch_size = 16\nlr = [0.1]\ntask.name = "wine-linear"\n')
    experiment = config.load(str(path), command="sweep")
    api.run("sweep", experiment, out=tmp_path / "run", progress=False)
    run = tmp_path / "run"
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "status": "interrupted"}))
    (run / "log").mkdir()
    (run / "log" / "cursor.json").write_text('{"id": "abc", "own": ["Mine"], "logged": {}}')
    assert command(["resume", str(run), "-q"]) == 0
    assert "log: Mine is a logger of the script that made this run" in capsys.readouterr().err


def test_what_a_file_says(tmp_path):
    path = tmp_path / "one.toml"
    shared = 'lr = [0.1]\ntask.name = "wine-linear"\n'
    for text in (
        'log = ["tensorboard", {tracker = "mlflow", uri = "sqlite:///a.db"}]\n' + shared,
        shared + '[log]\ntensorboard = true\nwandb = false\nmlflow = {uri = "sqlite:///a.db"}\n',
    ):
        path.write_text(text)
        experiment = config.load(str(path), command="sweep")
        assert experiment.log == {"tensorboard": {}, "mlflow": {"uri": "sqlite:///a.db"}}
        kept = tomllib.loads(config.resolve(experiment).text)["log"]
        assert kept == experiment.log
    plain = config.load(str(path), ("log=[]",), command="sweep")
    assert plain.log == {} and config.resolve(plain).digest == config.resolve(experiment).digest
    path.write_text(shared + "[log]\nwanbd = true\n[log.mlflow]\nurl = 3\n")
    with pytest.raises(config.ConfigError) as error:
        config.load(str(path), command="sweep")
    assert [(one.line, one.field) for one in error.value.problems] == [
        (4, "log.wanbd"), (6, "log.mlflow.url"),
    ]  # fmt: skip


def test_a_missing_package_is_named_before_anything_is_written(tmp_path, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        loggers.importlib.util, "find_spec", lambda name: None if name == "wandb" else find(name)
    )
    path = tmp_path / "one.toml"
    path.write_text('steps = 20\nlr = [0.1]\ntask.name = "wine-linear"\n[log]\nwandb = true\n')
    assert command(["sweep", str(path), "--out", str(tmp_path / "run"), "-q"]) == 2
    said = "log.wandb: needs the package wandb: pip install 'lrlab[wandb]'"
    assert capsys.readouterr().err.strip() == f"{path}:5: {said}"
    assert not (tmp_path / "run").exists()
    for arguments in (["study", "--set", "study.axis=batch_size", "--set", "study.values=[8, 16]"],
                      ["range-test", "--set", "lr=[]"]):  # fmt: skip
        name, *rest = arguments
        assert command([name, str(path), *rest, "--out", str(tmp_path / name), "-q"]) == 2
        assert not (tmp_path / name).exists()


def test_a_damaged_cursor_costs_no_run(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "cursor.json").write_text("{")
    run = runs.create(tmp_path / "run", "one", "sweep", "", {})
    try:
        assert logs.cursor_in(run) == {}
        (run.path / "log").mkdir()
        (run.path / "log" / "cursor.json").write_text("{")
        assert logs.cursor_in(run) == {}
    finally:
        run.close()
