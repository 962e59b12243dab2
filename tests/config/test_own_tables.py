"""Tables that name own code, as the file alone is read: nothing is imported here."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lrlab import config
from lrlab.config.groups import axis_path
from lrlab.core.errors import ConfigError

TASK = """\
steps = 20
lr = [0.1, 0.2]
[task]
python = "mine:make_task"
options = {width = 4}
"""


def file(folder: Path, text: str = TASK, name: str = "a.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def load(folder: Path, text: str = TASK, *settings: str, command: str = "sweep"):
    return config.load(file(folder, text), settings, command=command)


def problems(folder: Path, text: str, *settings: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as error:
        load(folder, text, *settings)
    return {one.field: f"{one.line}: {one.message}" for one in error.value.problems}


def test_the_folder_of_the_file_is_kept(tmp_path: Path) -> None:
    experiment = load(tmp_path)
    assert experiment.task.name == experiment.task.python == "mine:make_task"
    assert experiment.task.folder == str(tmp_path) and experiment.task.options == {"width": 4}
    again = config.load(file(tmp_path / "run", config.dumps(experiment)), command="sweep")
    assert again == experiment


def test_a_folder_beside_the_file(tmp_path: Path) -> None:
    experiment = load(tmp_path / "configs", TASK + 'folder = "../src"\n')
    assert experiment.task.folder == str(tmp_path / "src")


def test_the_digest_is_the_same_wherever_the_code_lies(tmp_path: Path) -> None:
    compared = "[compare.a]\noptimizer.python = 'mine:f'\n[compare.b]\noptimizer = 'sgd'\n"
    one, other = (load(tmp_path / name, TASK + compared, command="compare") for name in "ab")
    assert one.task.folder != other.task.folder
    assert config.digest(one) == config.digest(other)
    assert one.compare["a"]["optimizer"]["folder"] == str(tmp_path / "a")
    assert one.entries["a"].optimizer.python == "mine:f"
    assert config.digest(one) != config.digest(
        load(tmp_path / "a", TASK + compared, "task.options.width=5", command="compare")
    )


def test_without_own_code_nothing_is_said_of_it(tmp_path: Path) -> None:
    text = config.dumps(load(tmp_path, "lr = 0.1\ntask = 'wine-mlp'\n"))
    table = tomllib.loads(text)
    for one in (table["task"], table["optimizer"], table["schedule"]):
        assert not {"python", "options", "folder"} & one.keys()


def test_the_digest_of_runs_from_before_stays(tmp_path: Path) -> None:
    experiment = load(tmp_path, "lr = [0.1, 1.0]\ntask = 'wine-mlp'\n")
    assert config.digest(experiment).startswith("9405455484461ac4")


def test_settings(tmp_path: Path) -> None:
    assert load(tmp_path, TASK, "task.options.width=8").task.options == {"width": 8}
    assert load(tmp_path, TASK, "task.options={depth=1}").task.options == {"depth": 1}
    other = load(tmp_path, TASK, "task.python=theirs:f").task
    assert (other.python, other.options, other.folder) == ("theirs:f", {}, str(tmp_path))
    named = load(tmp_path, TASK, "task.name=wine-mlp").task
    assert (named.name, named.python, named.options, named.folder) == ("wine-mlp", None, {}, None)


def test_a_file_that_extends_another(tmp_path: Path) -> None:
    base = "lr = [0.1]\ntask = 'wine-mlp'\noptimizer = {name = 'adamw', weight_decay = 0.1}\n"
    file(tmp_path / "base", base)
    above = "extends = '../base/a.toml'\noptimizer.python = 'mine:f'\n"
    optimizer = load(tmp_path / "above", above).optimizer
    assert optimizer.python == "mine:f" and not optimizer.model_extra
    assert optimizer.folder == str(tmp_path / "above")
    above = "extends = '../above/a.toml'\noptimizer.options.b = 1\n"
    optimizer = load(tmp_path / "third", above).optimizer
    assert (optimizer.folder, optimizer.options) == (str(tmp_path / "above"), {"b": 1})


def test_a_name_takes_the_place_of_own_code(tmp_path: Path) -> None:
    own = "lr = [0.1]\ntask = 'wine-mlp'\noptimizer = {python = 'mine:f', options = {b = 1}}\n"
    for name in ("adam", "sgd"):  # the default's name too
        optimizer = load(tmp_path, own, f"optimizer.name={name}").optimizer
        assert (optimizer.name, optimizer.python, optimizer.options) == (name, None, {})


def test_loose_axes_may_be_those_of_an_own_optimizer(tmp_path: Path) -> None:
    experiment = load(tmp_path, "kl = [0.0, 1.0]\noptimizer.python = 'mine:f'\n" + TASK)
    assert experiment.axes == {"kl": [0.0, 1.0]}


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("[task]\npython = 'mine.make'\n", "task.python", "2: must be 'module:function'"),
        ("[task]\npython = 3\n", "task.python", "2: must be"),
        ("[task]\npython = 'm:f'\nname = 'wine-mlp'\n", "task.name", "3: cannot stand beside"),
        ("[task]\npython = 'm:f'\nloss = 'mse'\n", "task.loss", "gives the whole task"),
        ("[task]\npython = 'm:f'\nwidth = 3\n", "task.width", "written options.width = ..."),
        ("task = 'wine-mlp'\n[optimizer]\npython = 'm:f'\nb1 = 1\n", "optimizer.b1", "options.b1"),
        ("task = 'wine-mlp'\noptimizer.options = {b1 = 0.9}\n", "optimizer.options", "beside it"),
        ("[task]\nmodel.python = 'm:f'\n", "task.data", "needs task.data"),
        (
            "b = [1.0, 2.0]\ntask = 'wine-mlp'\noptimizer = {python = 'm:f', options = {b = 1}}\n",
            "b",
            "1: b is already given by optimizer.options.b",
        ),
        ("[task]\npython = 'm:f'\noptions = 3\n", "task.options", "must be a table"),
        ("[task]\npython = 'm:f'\nfolder = 3\n", "task.folder", "must be a string"),
    ],
)  # fmt: skip
def test_what_is_wrong(text: str, field: str, words: str, tmp_path: Path) -> None:
    assert words in problems(tmp_path, text + ("lr = 0.1\n" if "[" not in text else ""))[field]


@pytest.mark.parametrize("value", ["\0", "~nobody-here/x", "a" * 5000, "", 3, [1], {"a": 1}, True])
@pytest.mark.parametrize(
    "field", ["python", "folder", "options", "params", "trainable", "model.python"]
)
def test_any_value_is_taken_or_refused_with_its_place(field: str, value: object) -> None:
    *above, last = field.split(".")
    table: dict = {"python": "m:f"} if field in ("folder", "options") else {}
    task = {**table, **({above[0]: {last: value}} if above else {last: value})}
    if "python" not in task:
        task["name"] = "wine-mlp"
    refused = []
    try:
        config.from_arguments("sweep", task=task, lr=[0.1])
    except ConfigError as error:
        refused += error.problems
    assert all(one.field.startswith("task") and one.message for one in refused)


def test_studies_go_over_options() -> None:
    raw = {"task": {"python": "m:f", "name": "m:f", "options": {"width": 4}}}
    assert axis_path(raw, "width") == ("task", "options", "width")
    assert axis_path(raw, "task.options.depth") == ("task", "options", "depth")
    assert axis_path(raw, "depth") is None
