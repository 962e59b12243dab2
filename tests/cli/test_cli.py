"""The command line: statuses, JSON, plain errors, speed of what does not train."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from few import few
from places import FIXTURES

import lrlab
from lrlab.cli.app import PANELS, run
from lrlab.cli.failures import CommandError, failure_of, placed
from lrlab.cli.ls import KINDS, registry_of
from lrlab.core.errors import FieldError, Interrupted

CONFIG = """\
steps = 20
seeds = 2
batch_size = 16
lr = [0.01, 0.1]
schedule.name = "constant"
optimizer.name = "sgd"

[task]
model = "linear"
data.name = "wine"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.toml").write_text(CONFIG)
    return "run.toml"


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict, str]:
    assert run([*arguments, "--json"]) == 2
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err


@pytest.mark.parametrize(
    ("command", "field", "value"),
    [
        ("range-test", "steps", "9"),
        ("range-test", "schedule.name", "wsd"),
        ("range-test", "eval_every", "2"),
        ("sweep", "budget", "9"),
        ("sweep", "lr_range", "[0.1, 1.0]"),
        ("find", "range_test.num_steps", "9"),
    ],
)
def test_an_option_that_changes_nothing_is_refused(command, field, value, config, capsys):
    error, _ = error_of(capsys, command, config, "--set", f"{field}={value}")
    assert (field, "--set") in [(one["field"], one["file"]) for one in error["problems"]]


def test_every_mistake_at_once(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(config).write_text(CONFIG.replace("steps = 20", "stepz = 0") + "[plan]\ntile = 3\n")
    error, text = error_of(capsys, "sweep", config)
    assert set(error) == {"error", "problems"}
    assert [set(problem) for problem in error["problems"]] == [
        {"file", "line", "field", "message"}
    ] * len(error["problems"])
    assert ("stepz", 1) in {(p["field"], p["line"]) for p in error["problems"]}
    assert "run.toml:1: stepz: unknown key; did you mean 'steps'?" in text.splitlines()
    assert "run.toml:12: plan.tile: unknown key" in text
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("task.model.depth=100000", "task.model.depth"),
        ("task.model.activation=reluu", "task.model.activation"),
        ("schedule.kind=sideways", "schedule.kind"),
        ("schedule.warmup=20", "schedule.warmup"),
        ("schedule.warmup_kind=steep", "schedule.warmup_kind"),
        ("optimizer.form=neither", "optimizer.form"),
        ("task.data.valid_fraction=0.999", "task.data.valid_fraction"),
    ],
)
def test_a_wrong_option_is_placed_at_itself(setting, field, config, capsys) -> None:
    text = CONFIG.partition("schedule.name")[0]
    text += '[task]\nmodel.name = "mlp"\ndata.name = "wine"\n[schedule]\nname = "one_cycle"\n'
    Path(config).write_text(text + '[optimizer]\nname = "mechanic"\n')
    error, _ = error_of(capsys, "sweep", config, "--set", setting)
    problems = [(problem["field"], problem["file"]) for problem in error["problems"]]
    assert problems == [(field, "--set")], error
    if field.startswith(("schedule", "optimizer")):  # and the same from the file, with its line
        kind, _, option = setting.partition(".")
        option = option if option.endswith("20") else option.replace("=", '="') + '"'
        Path(config).write_text(text + f'[optimizer]\nname = "mechanic"\n{option}\n')
        if kind == "schedule":
            Path(config).write_text(text + f"{option}\n")
        error, _ = error_of(capsys, "sweep", config)
        line = 1 + Path(config).read_text().splitlines().index(option)
        assert [(p["field"], p["line"]) for p in error["problems"]] == [(field, line)], error


def test_errors_are_not_wrapped(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    long = "a" * 300
    assert run(["sweep", config, "--set", f"optimizer.name={long}"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1 and long in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["find"],
        ["fnd", "run.toml"],
        ["find", "run.toml", "--jsn"],
        ["find", "absent.toml"],
        ["find", "run.toml", "--set", "steps"],
        ["ls", "scheduels"],
        ["show", "absent"],
        ["resume", "absent"],
        ["export", "absent", "--format", "xls"],
    ],
)
def test_bad_input_is_status_2(
    config: str, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    error, text = error_of(capsys, *arguments)
    assert error["problems"] and error["problems"][0]["message"]
    assert "Traceback" not in text and text


def test_exceptions_have_their_status() -> None:
    class Other(Exception):
        """Named like one that ends a run on purpose: what counts is the class, not its name."""

    Other.__name__ = "Interrupted"
    ended = CommandError(Interrupted(), None, "run.toml", Path("runs/x"))
    assert failure_of(Interrupted()).status == 130 == failure_of(ended).status
    assert "lrlab resume runs/x" in failure_of(ended).message
    assert failure_of(KeyboardInterrupt()).status == 130 == failure_of(typer.Abort()).status
    assert failure_of(Other()).status == 3
    assert failure_of(MemoryError("too large")).status == 3
    assert failure_of(ValueError("no")).status == 2


def test_a_refusal_from_below_gets_its_place(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(command: str, path: str, *rest: object) -> None:
        with placed(lrlab.config.load(path, command=command), path):
            raise FieldError("batch_size", "is larger than the training examples; steps are fine")

    monkeypatch.setattr("lrlab.cli.sweep.train", refuse)
    error, text = error_of(capsys, "sweep", config)
    assert error["problems"][0]["line"] == 3
    assert text.startswith("run.toml:3: batch_size: is larger than the training")


@pytest.mark.parametrize("kind", KINDS[1:])
def test_ls(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", kind, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)[kind]
    assert {entry["name"] for entry in listed} == set(registry_of(kind).entries)
    assert all(entry["summary"] for entry in listed), "every entry has a first docstring line"
    assert run(["ls", kind]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in registry_of(kind).entries)


def test_ls_runs_and_last(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}
    folder = Path("runs/one")
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "done", "command": "find"}))
    (folder / "summary.json").write_text(json.dumps({"lr": 0.1, "verdict": "interior"}))
    assert run(["ls", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["runs"]
    assert (listed["run"], listed["status"], listed["lr"]) == ("runs/one", "done", 0.1)
    for name in ("last", "one", "runs/one"):
        assert run(["show", name, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["run"] == "runs/one"
    (folder / "run.json").write_text("{")
    assert run(["show", "one", "--json"]) == 2
    assert "damaged" in capsys.readouterr().err
    assert run(["doctor", "one", "--json"]) == 3


def test_a_name_trains(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [f"--set={one}" for one in ("steps=10", "seeds=1", "lr=[0.1]")]
    assert run(["sweep", "wine-linear", *settings, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["lanes"] == 1 and Path(made["run"]).name.startswith("wine-linear-sweep-")
    error, text = error_of(capsys, "find", "wine-linaer")
    assert "'wine-linear'" in text and error["problems"][0]["line"] is None


@pytest.mark.parametrize(
    ("environment", "words"),
    [({"JAX_PLATFORMS": ""}, "jax "), ({"JAX_PLATFORMS": "cpu"}, "on cpu by JAX_PLATFORMS")],
)
def test_the_version_starts_nothing(environment: dict[str, str], words: str) -> None:
    code = (
        "import sys; from lrlab.cli.app import run; status = run(['--version']); "
        "assert not {'jax', 'scipy'} & {*sys.modules}; sys.exit(status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.startswith(f"lrlab {lrlab.__version__} (jax ") and words in ran.stdout


def test_the_module_is_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "lrlab", "--help"], check=True, capture_output=True, text=True
    )
    assert "find" in ran.stdout


def test_no_color(config: str) -> None:
    for arguments in (["--help"], ["ls", "tasks"], ["fnd"]):
        environment = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "1", "TERM": "xterm-256color"}
        ran = subprocess.run(
            [sys.executable, "-m", "lrlab", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        colors = re.findall(
            r"\x1b\[[0-9;]*?(?:3[0-8]|4[0-8]|9[0-7])[0-9;]*m", ran.stdout + ran.stderr
        )
        assert not colors, arguments


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    checks = {c["what"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["jax"]["state"] == "ok" and checks["devices"]["state"] == "ok"


@pytest.mark.parametrize(
    "arguments",
    few(
        [
            ["ls", "tasks"],
            ["--help"],
            ["ls"],
            ["show", str(FIXTURES / "format-2")],
            ["ls", "schedules"],
            ["resume", str(FIXTURES / "format-2")],
            ["export", str(FIXTURES / "format-2"), "--out", "-"],
        ],
        3,
    ),
)
def test_looking_imports_nothing_that_takes_seconds(arguments: list[str]) -> None:
    code = (
        "import sys; from lrlab.cli.app import run; "
        f"status = run({arguments!r}); "
        "assert not {'jax', 'scipy'} & {*sys.modules}; sys.exit(status)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_command_is_a_file_of_its_name() -> None:
    commands = [command for panel in PANELS.values() for command in panel]
    assert len(commands) >= 18
    for command in commands:
        assert command.__module__ == f"lrlab.cli.{command.__name__}"


def test_preview(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["preview", config, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["lanes"], made["steps"], made["axes"]) == (4, 20, {"lr": [0.01, 0.1]})
    assert set(made["schedule"]) == {1.0}


def test_a_sweep_from_end_to_end(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", config, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert {"run", "best", "lanes", "diverged", "metric", "seconds"} <= set(made)
    assert {"lr", "interval", "verdict", "sentence"} <= set(made["best"])
    assert (made["lanes"], made["diverged"], made["metric"]) == (4, 0, "valid_loss")
    assert Path(made["run"], "report.html").stat().st_size > 1000
    for arguments in (["show", "last"], ["doctor", "last"], ["report", "last"], ["ls"]):
        assert run(arguments) == 0, capsys.readouterr().err
    capsys.readouterr()
    for format in ("csv", "parquet", "json", "curves", "npz", "nc"):
        assert run(["export", "last", "--format", format, "--json"]) == 0
        assert Path(json.loads(capsys.readouterr().out)["file"]).stat().st_size > 50
    assert run(["plan", config, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert {"mesh", "tile_width", "waves", "segment_steps", "memory_bytes", "reasons"} <= set(plan)


def test_find_from_end_to_end(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["find", config, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    expected = {"run", "lr", "interval", "verdict", "sentence", "cost", "metric", "seconds"}
    assert expected <= set(made)


def test_data_that_are_wrong(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text("a,b,y\n1,2,0\n3,x,1\n" * 5)
    setting = 'task.data={name="csv", path="bad.csv"}'
    error, _ = error_of(capsys, "sweep", config, "--set", setting)
    assert error["problems"][0]["field"].startswith("task.data")
    assert not Path("runs").exists()
    assert run(["sweep", config, "--set", "batch_size=5000"]) == 2
    assert not Path("runs").exists()
    assert "batch_size" in capsys.readouterr().err
