"""A task's name or a data file where a configuration is expected."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from lrlab import config
from lrlab.config.beginnings import FULL_BATCH, RATES
from lrlab.core.errors import ConfigError, Problem
from lrlab.tasks import REGISTRY


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a table of 200 rows."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i},{i % 7},{i % 3}\n" for i in range(200))
    (tmp_path / "data.csv").write_text("a,b,kind\n" + rows)
    return tmp_path


def problem(text: str, *settings: str, command: str = "find") -> Problem:
    with pytest.raises(ConfigError) as caught:
        config.load(text, settings, command)
    (one,) = caught.value.problems
    return one


@pytest.mark.parametrize("command", ["find", "sweep", "range-test", "plan", "preview"])
@pytest.mark.parametrize("task", ["digits-mlp", "wine-linear", "quadratic", "iris-mlp"])
def test_a_name_trains_with_defaults(task: str, command: str, here: Path) -> None:
    experiment = config.load(task, command=command)
    assert experiment.task.name == task
    assert experiment.steps == config.load(task).steps == 2000
    assert (experiment.lr is not None) == (command == "sweep")


@pytest.mark.parametrize("task", [*REGISTRY.entries])
def test_every_registered_task_has_defaults_that_fit(task: str, here: Path) -> None:
    experiment = config.load(task)
    assert experiment.batch_size == ("full" if task in FULL_BATCH else 64)


def test_settings_stand_on_top(here: Path) -> None:
    settings = ["task.width=16", "steps=7", "optimizer=sgd", "lr=[0.1]"]
    experiment = config.load("wine-mlp", settings, "sweep")
    assert (experiment.steps, experiment.optimizer.name) == (7, "sgd")
    assert list(experiment.lr) == [0.1]  # type: ignore[arg-type]
    assert problem("wine-mlp", "task.widht=16").field == "task.widht"


def test_a_sweep_has_rates_where_the_optimizer_has_none(here: Path) -> None:
    def num_rates(*settings: str) -> int:
        return len(config.resolve(config.load("wine-mlp", settings, "sweep")).axes[0].values)

    assert num_rates() == RATES["log"][2]
    assert num_rates("optimizer=prodigy") == 1 == num_rates("optimizer.name=dadapt_adam")
    assert num_rates("lr=[0.1, 0.2]") == 2


def test_studies_say_what_is_missing_and_take_it(here: Path) -> None:
    assert "--set study.axis" in problem("wine-mlp", command="study").message
    settings = ["study.axis=width", "study.values=[8, 16]"]
    assert len(config.load("wine-mlp", settings, "study").entries) == 2
    assert "--set compare.NAME" in problem("wine-mlp", command="compare").message


def test_a_file_of_that_name_wins(here: Path) -> None:
    Path("wine-mlp").write_text('steps = 3\ntask = "iris-linear"\n')
    experiment = config.load("wine-mlp")
    assert (experiment.task.name, experiment.steps) == ("iris-linear", 3)
    Path("quadratic").mkdir()  # a folder is no configuration
    assert config.load("quadratic").task.name == "quadratic"


def test_a_miss_names_tasks_and_files(here: Path) -> None:
    Path("configs").mkdir()
    Path("configs/digits.toml").write_text('task = "digits-mlp"\n')
    one = problem("digts-mlp")
    assert (one.file, one.line) == ("digts-mlp", None)
    assert "the task 'digits-mlp'" in one.message and "configs/digits.toml" in one.message
    assert "configs/digits.toml" in problem("digit.toml").message
    assert "did you mean" not in problem("zzzzzzzz").message
    Path("runs/a").mkdir(parents=True)
    Path("runs/a/run.json").write_text("{}")
    assert "runs/a/config.toml" in problem("runs/a").message
    for odd in ("", "a\0b", "x" * 5000, "..", "-", "*.toml"):
        assert problem(odd).message


def test_a_mistake_has_no_line_where_there_is_no_file(here: Path) -> None:
    one = problem("wine-mlp", command="study")
    assert str(one).startswith("wine-mlp: study: ")


@pytest.mark.parametrize("name", ["data.csv", "DATA2.CSV", "data.csv.gz", "sub/data.csv"])
def test_a_table_needs_its_target_alone(name: str, here: Path) -> None:
    content = Path("data.csv").read_bytes()
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    experiment = config.load(name, ["task.data.target=kind"])
    data = experiment.task.data
    assert data is not None and data.name == "csv" and Path(str(data.path)).is_absolute()
    assert experiment.task.model is not None and experiment.task.model.name == "mlp"
    missing = problem(name)
    assert missing.field == "task.data.target"
    assert "a, b, kind" in missing.message
    assert f"lrlab find {name} --set task.data.target=kind" in missing.message


def test_the_command_that_a_message_gives_can_be_typed(here: Path) -> None:
    Path("my data.csv").write_text('a,b c,"net, price"\n' + "1,2,3\n4,5,7\n" * 60)
    message = problem("my data.csv", command="sweep").message
    assert "lrlab sweep 'my data.csv' --set 'task.data.target=net, price'" in message
    Path("bare.csv").write_text("1.5,2.5,0\n2.5,1.5,1\n" * 60)
    assert "--set task.data.target=2" in problem("bare.csv").message
    data = config.load("bare.csv", ["task.data.target=2"]).task.data
    assert data is not None and (data.model_extra or {})["target"] == 2


def test_a_target_that_is_not_there(here: Path) -> None:
    assert "did you mean 'kind'" in problem("data.csv", "task.data.target=knd").message
    assert "did you mean data.csv" in problem("dat.csv", "task.data.target=y").message


def test_the_target_is_not_the_only_problem_that_is_said(here: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load("data.csv", ["sedes=3"])
    assert {one.field for one in caught.value.problems} == {"task.data.target", "sedes"}


def test_few_rows_are_one_batch(here: Path) -> None:
    Path("few.csv").write_text("a,b,y\n" + "1,2,0\n2,1,1\n" * 20)
    assert config.load("few.csv", ["task.data.target=y"]).batch_size == "full"
    assert config.load("few.csv", ["task.data.target=y", "batch_size=8"]).batch_size == 8
    assert config.load("data.csv", ["task.data.target=kind"]).batch_size == 64


def test_an_archive(here: Path) -> None:
    np.savez(here / "a.npz", x=np.zeros((100, 3), np.float32), y=np.arange(100) % 2)
    experiment = config.load("a.npz", ["task.model=linear"])
    assert experiment.task.data is not None and experiment.task.data.name == "npz"
    assert experiment.task.model is not None and experiment.task.model.name == "linear"


def test_a_named_experiment_comes_back_from_its_run_folder(here: Path) -> None:
    for name, settings in (("wine-mlp", ()), ("data.csv", ("task.data.target=kind",))):
        experiment = config.load(name, settings, "sweep")
        text = config.resolve(experiment, command="sweep").text
        Path("again.toml").write_text(text)
        assert config.load("again.toml", command="sweep") == experiment


@pytest.mark.parametrize(
    ("name", "made"), [("x.npy", "numpy.savez"), ("T.PARQUET", "read_parquet")]
)
def test_another_kind_of_data_file_is_named_as_one(name: str, made: str, here: Path) -> None:
    (here / name).write_bytes(b"\x93NUMPY")
    assert "csv, tsv and npz" in problem(name).message and made in problem(name).message


def test_a_table_without_names_has_a_number_of_columns(here: Path) -> None:
    (here / "bare.csv").write_text("1.5,2.5,0\n" * 9)
    assert "It has 3 columns without names, from 0 on;" in problem("bare.csv").message
