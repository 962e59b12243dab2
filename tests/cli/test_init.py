"""`lrlab init`: what it writes runs as it is, and nothing is overwritten."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

from lrlab import config
from lrlab.cli.app import run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i % 11 / 11},{i % 7 / 7},{'no' if i % 3 else 'yes'}\n" for i in range(300))
    (tmp_path / "mine.csv").write_text("a,b,kind\n" + rows)
    numbers = "".join(f"{i % 11 / 11},{i % 7 / 7}\n" for i in range(300))
    (tmp_path / "numbers.csv").write_text("a,b\n" + numbers)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str]]:
    assert run(["init", *arguments, "--json"]) == 2
    problems = json.loads(capsys.readouterr().out.splitlines()[-1])["problems"]
    return [(one["file"], one["message"]) for one in problems]


def test_a_configuration_of_ones_own_data_runs(here: Path, capsys) -> None:
    assert (
        run(
            ["init", "--data", "mine.csv", "--target", "kind", "--steps", "30", "--model", "linear"]
        )
        == 0
    )
    assert "lrlab find mine.toml" in capsys.readouterr().out
    text = Path("mine.toml").read_text()
    assert "# " in text and str(here) not in text  # it may be moved with its data
    for command in ("find", "sweep"):
        assert config.load("mine.toml", command=command).steps == 30
    assert run(["sweep", "mine.toml", "--set", "lr=[0.01]", "--set", "seeds=1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lanes"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--data", "mine.csv", "--target", "kind"),
        ("--data", "numbers.csv", "--target", "a", "--model", "linear", "--optimizer", "sgd"),
        ("--task", "wine-mlp"),
        ("--task", "diabetes-linear", "--schedule", "constant"),
        ("--task", "chebyshev"),
    ],
)
def test_configuration_and_script_run_as_they_are(options, here: Path, capsys) -> None:
    assert run(["init", "sub/x", *options, "--steps", "20", "--python", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["files"] == ["sub/x.toml", "sub/x.py"]
    assert made["next"] == "lrlab find sub/x.toml"
    assert run(["find", "sub/x.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metric"] == "valid_loss"
    script = Path("sub/x.py")
    assert 20 <= len(script.read_text().splitlines()) <= 36
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip(), "the script prints its answer"


def test_a_script_of_tokens_and_of_images(here: Path, capsys) -> None:
    assert run(["init", "t", "--task", "bytes-transformer", "--python"]) == 0
    assert "nn.Embed" in Path("t.py").read_text()
    np.savez("images.npz", x=np.zeros((90, 4, 4), np.float32), y=np.arange(90) % 3)
    assert run(["init", "--data", "images.npz", "--python"]) == 0
    assert "nn.Embed" not in Path("images.py").read_text()
    for name in ("t.py", "images.py"):
        compile(Path(name).read_text(), name, "exec")


def test_files_are_never_overwritten(here: Path, capsys) -> None:
    Path("x.py").write_text("mine")
    assert ("x.py", "exists already; choose another name, or --force") in refused(
        capsys, "x", "--task", "wine-mlp", "--python"
    )
    assert not Path("x.toml").exists()  # all or none
    assert run(["init", "x", "--task", "wine-mlp"]) == 0
    before = Path("x.toml").read_text()
    assert refused(capsys, "x", "--task", "iris-linear")
    assert refused(capsys, "x.toml", "--task", "iris-linear")
    assert Path("x.toml").read_text() == before
    assert run(["init", "x", "--task", "iris-linear", "--python", "--force"]) == 0
    assert "iris-linear" in Path("x.toml").read_text() and "flax" in Path("x.py").read_text()
    Path("link.toml").symlink_to("nowhere")
    assert refused(capsys, "link", "--task", "iris-linear")


@pytest.mark.parametrize(
    ("options", "flag", "words"),
    [
        (("--task", "wine-mpl"), "--task", "did you mean 'wine-mlp'"),
        (("--task", "wine-mlp", "--data", "mine.csv"), "--task", "beside --data"),
        (("--task", "wine-mlp", "--optimizer", "adm"), "--optimizer", "did you mean 'adam'"),
        (("--task", "wine-mlp", "--schedule", "cosin"), "--schedule", "did you mean 'cosine'"),
        (("--task", "wine-mlp", "--model", "mlp"), "--model", "goes with --data"),
        (("--target", "y"), "--target", "goes with --data"),
        (("--steps", "0"), "--steps", "at least 1"),
        (("--data", "mine.csv"), "--target", "--data mine.csv --target kind"),
        (("--data", "mine.csv", "--target", "knd"), "--target", "did you mean 'kind'"),
        (("--data", "mine.csv", "--target", "kind", "--model", "mpl"), "--model", "'mlp'"),
        (("--data", "absent.csv", "--target", "y"), "--data", "no such file"),
        (("--data", "mine.xlsx"), "--data", "by its ending"),
        (("--task", "quadratic", "--python"), "--python", "objective"),
        (("sub", "--task", "wine-mlp"), "NAME", "is a folder"),
        (("", "--task", "wine-mlp"), "NAME", "no name for a file"),
        (("mine.csv/x", "--task", "wine-mlp"), "mine.csv/x.toml", "cannot be written"),
    ],
)
def test_bad_input_names_its_option(options, flag, words, here: Path, capsys) -> None:
    Path("sub").mkdir()
    ((where, message),) = refused(capsys, *options)
    assert where == flag and words in message
    assert not list(here.rglob("*.toml")) and not list(here.rglob("*.py"))


def test_data_that_cannot_be_used_are_refused_at_once(here: Path, capsys) -> None:
    Path("bad.csv").write_text("a,b,y\n1,x,0\n2,3,1\n" * 9)
    ((where, message),) = refused(capsys, "--data", "bad.csv", "--target", "y")
    assert where == "--data" and "'x' is not a number" in message


def test_without_a_terminal_and_options_it_is_a_task_that_runs(here: Path, capsys) -> None:
    assert run(["init"]) == 0
    assert config.load("digits-mlp.toml").task.name == "digits-mlp"


@pytest.mark.parametrize("name", ["lrlab", "jax", "random", "statistics"])
def test_a_script_does_not_take_a_modules_place(name: str, here: Path, capsys) -> None:
    os.rename("mine.csv", f"{name}.csv")
    options = ("--data", f"{name}.csv", "--target", "kind")
    ((where, message),) = refused(capsys, *options, "--python")
    assert where == "NAME" and f"Python module {name}" in message
    assert not Path(f"{name}.toml").exists() and not Path(f"{name}.py").exists()
    assert run(["init", *options]) == 0  # the configuration alone takes nobody's place
    assert run(["init", "other", *options, "--python"]) == 0


def test_a_script_is_written_again(here: Path, monkeypatch) -> None:
    """Its own file is no module that it would stand in for, even where Python looks there."""
    monkeypatch.syspath_prepend(str(here))
    options = ("init", "--data", "mine.csv", "--target", "kind", "--python")
    assert run([*options]) == 0
    assert run([*options, "--force"]) == 0


@pytest.mark.parametrize("name", ['a "b" c', "it's \U0001f600 ü", "back\\slash"])
def test_any_name_of_a_file_makes_a_script(name: str, here: Path) -> None:
    os.rename("mine.csv", f"{name}.csv")
    assert run(["init", "--data", f"{name}.csv", "--target", "kind", "--python"]) == 0
    script = ast.parse(Path(f"{name}.py").read_text(encoding="utf-8"))
    said = {node.value for node in ast.walk(script) if isinstance(node, ast.Constant)}
    assert {name, f"{name}.csv"} <= said


def test_columns_of_words_can_be_left_out(here: Path, capsys) -> None:
    rows = "".join(f"{i % 11},Rome,n{i},{i % 2}\n" for i in range(60))
    Path("towns.csv").write_text("a,town,name,y\n" + rows)
    options = ("--data", "towns.csv", "--target", "y")
    ((where, message),) = refused(capsys, *options)
    assert where == "--data" and "ignore = ['town', 'name']" in message
    leave = ("--ignore", "town", "--ignore", "name")
    assert run(["init", *options, *leave, "--python"]) == 0
    assert config.load("towns.toml").task.data.model_extra["ignore"] == ["town", "name"]
    assert "\"ignore\": ['town', 'name']" in Path("towns.py").read_text()
    assert refused(capsys, "--task", "wine-mlp", "--ignore", "a")[0][0] == "--ignore"
    np.savez("arrays.npz", x=np.ones((9, 2)), y=np.arange(9) % 2)
    assert refused(capsys, "--data", "arrays.npz", "--ignore", "a")[0][0] == "--ignore"
    assert refused(capsys, *options, "--ignore", "twon")[0][0] == "--ignore"
