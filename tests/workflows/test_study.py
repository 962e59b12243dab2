"""Studies end to end: groups, resume, page, sentence, and what a wrong axis says."""

from __future__ import annotations

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.cli.app import run
from lrlab.core.errors import Interrupted
from lrlab.data import load
from lrlab.workflows import study

CONFIG = """\
steps = 12
seeds = 2
lr = [0.01, 0.1, 1.0, 10.0, 100.0]
eval_every = 12
schedule.name = "constant"
optimizer.name = "sgd"

[task]
model = "linear"
data.name = "wine"

[study]
axis = "batch_size"
values = [4, 16]
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(CONFIG)
    return "study.toml"


@pytest.mark.slow
def test_the_command_end_to_end(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = ["--set", 'figures=["png", "svg"]']
    assert run(["study", config, "--out", "s", "--json", "--quiet", *drawn]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"run", "axis", "metric", "sentence", "groups", "laws", "transfer", "cost",
                          "seconds"}  # fmt: skip
    assert [group["value"] for group in found["groups"]] == [4, 16]
    assert found["cost"] == 20.0 and found["axis"] == "batch_size"
    for name in ("batch_size-4", "batch_size-16"):
        inner = json.loads(Path("s/groups", name, "run.json").read_text())
        assert inner["status"] == "finished" and inner["command"] == "sweep"
        assert "[study]" not in Path("s/groups", name, "config.toml").read_text()
        # The group's own answer is the one in the study.
        summary = json.loads(Path("s/groups", name, "summary.json").read_text())
        assert summary["lr"] == found["groups"][name.endswith("16")]["lr"]
    page = Path("s/report.html").read_text()
    assert found["sentence"].partition("? ")[2] in page and 'href="groups/batch_size-4/' in page
    assert {path.name for path in Path("s/figures").iterdir()} >= {"u_curves.png", "best_lr.svg"}
    assert run(["show", "s"]) == 0
    shown = capsys.readouterr().out
    assert "batch_size" in shown and found["sentence"] in shown
    assert run(["report", "s", "--out", "again", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["figures"]) >= 4
    assert run(["doctor", "s", "--json"]) == 0
    capsys.readouterr()
    assert run(["study", config, "--out", "s", "--json"]) == 0  # read
    assert json.loads(capsys.readouterr().out) == found


@pytest.mark.slow
def test_the_scale_of_a_study_of_sweeps(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["study", config, "--out", "s", "--json", "--quiet"]) == 0
    gain = json.loads(capsys.readouterr().out)
    log = ["study", config, "--out", "s", "--json", "--quiet", "--set", "scale='log'"]
    assert run(log) == 0  # the same lanes, read otherwise
    found = json.loads(capsys.readouterr().out)
    assert "scale" not in gain and found["scale"] == "log"
    assert found["sentence"].endswith("Regret is measured in the log of valid_loss.")
    for one, other in zip(gain["groups"], found["groups"], strict=True):
        pairs = [(a, b) for a, b in zip(one["means"], other["means"], strict=True) if a is not None]
        assert all(b == pytest.approx(a, rel=0.3) and b <= a * (1 + 1e-9) for a, b in pairs)
    Path("log.toml").write_text("scale = 'log'\n" + CONFIG)
    assert run(["study", "log.toml", "--out", "t", "--json", "--quiet"]) == 0
    assert (
        json.loads(capsys.readouterr().out)["groups"][0]["interval"]
        == (found["groups"][0]["interval"])
    )
    assert run(["study", config, "--set", "scale='logs'", "--json"]) == 2
    assert 'must be \\"gain\\"' in capsys.readouterr().out
    assert run(["sweep", config, "--set", "scale='log'", "--json"]) == 2
    assert "makes no use of it" in capsys.readouterr().out


def test_a_study_of_searches_in_the_log() -> None:
    arguments = {
        "axis": "task.largest", "values": [4.0], "optimizer": "sgd", "steps": 20, "seeds": 2,
        "schedule": "constant", "budget": 8, "progress": False,
    }  # fmt: skip
    found = lrlab.study("quadratic", scale="log", **arguments)
    group = found.groups[0]
    assert found.scale == "log" and "in the log of" in found.sentence and found.scale == group.scale
    assert group.initial > np.nanmin(group.means) > 0
    below = lrlab.Task.objective(
        name="below", init=lambda key: jnp.ones(2), loss=lambda p, key: (p**2).sum() - 1.0
    )
    with pytest.raises(ValueError, match=r"needs losses above 0"):
        lrlab.study(below, scale="log", **(arguments | {"axis": "steps", "values": [10, 20]}))


@pytest.mark.slow
def test_a_killed_study_goes_on(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    whole = study.run_sweep

    def dies(job):
        if len(trained) == 1:
            raise Interrupted
        trained.append(job.experiment.name)
        return whole(job)

    monkeypatch.setattr(study, "run_sweep", dies)
    assert run(["study", config, "--out", "s", "--quiet"]) == 130
    assert "lrlab resume s" in capsys.readouterr().err
    assert json.loads(Path("s/run.json").read_text())["status"] == "interrupted"
    again: list[str] = []

    def counts(job):
        ran = whole(job)
        again.extend([] if ran.read else [job.experiment.name])
        return ran

    monkeypatch.setattr(study, "run_sweep", counts)
    assert run(["resume", "s", "--json", "--quiet"]) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert trained == ["batch_size-4"] and again == ["batch_size-16"]
    assert run(["study", config, "--out", "whole", "--json", "--quiet"]) == 0
    straight = json.loads(capsys.readouterr().out)
    assert [g["means"] for g in resumed["groups"]] == [g["means"] for g in straight["groups"]]
    assert resumed["sentence"] == straight["sentence"]


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (('axis = "batch_size"', 'axis = "batchsize"'), 13, "did you mean 'batch_size'?"),
        (("values = [4, 16]", "values = [4, -1]"), 14, "must be at least 1"),
        (("values = [4, 16]", "values = [4, 4]"), 14, "must not repeat a value"),
        (("values = [4, 16]", 'values = [4]\nparametrization = "mup"'), 15, "option of task.model"),
        (("values = [4, 16]", 'values = [4]\nparametrization = "muP"'), 15, "did you mean 'mup'?"),
        (("values = [4, 16]", "values = [4]\nbase = 3"), 15, "must be one of values"),
        (("values = [4, 16]", "valuez = [4, 16]"), 14, "did you mean 'values'?"),
    ],
)
def test_mistakes_have_their_place(
    config: str, capsys: pytest.CaptureFixture[str], change: tuple[str, str], line: int, words: str
) -> None:
    Path(config).write_text(CONFIG.replace(*change))
    assert run(["study", config, "--json"]) == 2
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert any(p["line"] == line and words in p["message"] for p in problems), problems
    assert not Path("runs").exists()


@pytest.mark.slow
def test_mup_by_config_and_in_python() -> None:
    found = lrlab.study(
        "wine-mlp", axis="width", values=[8, 32], parametrization=["standard", "mup"], steps=10,
        batch_size=32, seeds=1, lr=[1e-3, 1e-2, 0.1, 1.0], eval_every=10, progress=False,
    )  # fmt: skip
    standard, mup = found.groups[:2], found.groups[2:]
    assert np.array_equal(standard[0].means, mup[0].means)  # the base
    assert not np.allclose(standard[1].means, mup[1].means)
    assert [law.parametrization for law in found.laws] == ["standard", "mup"]
    assert "In muP" in found.sentence and found.law("mup").parametrization == "mup"
    assert len(found.plot().axes) == 3 and "parametrization" in str(found)


@pytest.mark.slow
def test_a_function_of_the_value_gives_the_tasks(tmp_path: Path) -> None:
    x, y = load("iris").splits()["train"]

    def task(size: int) -> lrlab.Task:
        return lrlab.Task.supervised(
            name=f"iris-{size}", model=lrlab.models.module("linear", 3),
            loss="softmax_cross_entropy", train=(x[:size], y[:size]), valid=(x, y),
        )  # fmt: skip

    out = tmp_path / "s"
    found = lrlab.study(
        task, axis="examples", values=[30, 120], steps=10, batch_size=8, seeds=1,
        optimizer="sgd", lr=[1e-3, 0.1, 10.0], progress=False, out=out,
    )  # fmt: skip
    assert [group.value for group in found.groups] == [30, 120]
    assert not np.allclose(found.groups[0].means, found.groups[1].means)
    assert (out / "report.html").exists() and (out / "groups" / "examples-30").is_dir()
