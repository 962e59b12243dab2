"""Errors know their field: whoever refuses says which option, whoever knows the table says where.

Nothing here trains: the places come from the errors themselves, not from their words.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import lrlab
from lrlab import api, config
from lrlab.cli.app import run
from lrlab.config import ConfigError
from lrlab.core.errors import FieldError, Interrupted, within
from lrlab.core.paths import shown
from lrlab.data import DataError
from lrlab.training.group import training_group
from lrlab.training.progress import Control

BASE = "steps = 20\nbatch_size = 16\nseeds = 1\nlr = [0.1, 0.2]\n"
MLP = '[task]\nmodel.name = "mlp"\ndata.name = "wine"\n'
BYTES = '[task]\nmodel.name = "transformer"\ndata = {name = "stdlib", max_train = 32}\n'


def assembled(file: Path, *settings: str) -> None:
    training_group(config.resolve(config.load(file, settings, command="sweep")))


def refused(folder: Path, text: str, *settings: str) -> list[tuple[str, str, int | None]]:
    """(field, file, line) of what is wrong; lines of the file count from the table in `text`."""
    (folder / "run.toml").write_text(BASE + text)
    with pytest.raises(ConfigError) as caught:
        assembled(folder / "run.toml", *settings)
    return [(one.field, Path(one.file).name, one.line) for one in caught.value.problems]


OPTIONS = {
    "model": (MLP, "task.model.width", "0"),
    "two of a model": (BYTES, "task.model.heads", "3"),
    "the other of the two": (BYTES, "task.model.width", "30"),
    "two of a table": (MLP, "task.data.valid_fraction", "0.999"),
    "loss": (MLP, "task.loss", "binary"),
    "metrics": (MLP, "task.metrics", '["accuracy", "accuracy"]'),
    "a recipe's model": ('[task]\nname = "wine-mlp"\n', "task.depth", "100000"),
    "a recipe's data": ('[task]\nname = "wine-mlp"\n', "task.valid_fraction", "0.999"),
    "objective": ('[task]\nname = "quadratic"\n', "task.condition", "0.5"),
    "optimizer": (MLP + 'optimizer.name = "lbfgs"\n', "optimizer.accumulate", "2"),
    "an optimizer's base": (MLP + '[optimizer]\nname = "sam"\n', "optimizer.base", "foo"),
    "schedule": (MLP + '[schedule]\nname = "spline"\n', "schedule.places", "[0.5]"),
    "warmup": (MLP + '[schedule]\nwarmup = 0.1\n', "schedule.warmup_kind", "exponential"),
    "multipliers": (MLP, "multipliers.nothing", "0.5"),
    "no pattern": (MLP, "groups", '{a = "((", b = "*"}'),
    "probe": (MLP, "probes", '[{name = "sharpness", k = 100000000}]'),
    "batch": (MLP, "batch_size", "1000"),
}  # fmt: skip
"""What is wrong with one option: (tables, option, value)."""

LR = {"no pattern": ["lr={a = [0.1], b = [0.1]}"]}
BELOW = {"probe": "probes.0.k", "no pattern": "groups.a"}


@pytest.mark.parametrize("case", OPTIONS)
def test_an_option_is_the_place(case, tmp_path) -> None:
    text, option, value = OPTIONS[case]
    if case == "optimizer":
        text = MLP + '[optimizer]\nname = "lbfgs"\n'
    more = LR.get(case, [])
    found = refused(tmp_path, text, *more, f"{option}={value}")
    assert found == [(BELOW.get(case, option), "--set", 1 + len(more))]


TABLES = {
    "too large a model": (MLP, "task.model.width=100000000", "task.model"),
    "inputs of another kind": (
        '[task]\nmodel.name = "transformer"\ndata.name = "wine"\n', "batch_size=8", "task.model"
    ),
    "a base that is none": (
        MLP, 'parametrization={name = "mup", base = {width = 0}}', "parametrization.base.width"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_a_table_is_the_place_where_no_option_is_to_blame(case, tmp_path) -> None:
    text, setting, place = TABLES[case]
    assert [field for field, _, _ in refused(tmp_path, text, setting)] == [place]


def test_words_that_name_an_option_do_not_make_it_the_place(tmp_path) -> None:
    """A cell that is no number, in a column called as an option that is set."""
    (tmp_path / "schedule.csv").write_text("kind,depth,y\n1.5,2,0\nx,1,1\n3.5,2,0\n0.5,2,1\n")
    text = '[task]\nmodel = {name = "mlp", depth = 2}\n[task.data]\nname = "csv"\n'
    text += 'path = "schedule.csv"\nkind = "classification"\n'
    assert [field for field, _, _ in refused(tmp_path, text)] == ["task.data"]


def test_the_same_in_python() -> None:
    given = dict(lr=[0.1], seeds=1, steps=5, batch_size=8, progress=False)
    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    task = lrlab.Task.supervised(
        name="mine", model=lrlab.models.make("mlp", 2), loss="softmax_cross_entropy",
        train=(x, y), valid=(x, y),
    )  # fmt: skip
    for arguments, field in (
        (
            {"task": "wine-mlp", "optimizer": "adam", "optimizer_args": {"ema": 2.0}},
            "optimizer.ema",
        ),
        ({"task": "wine-mlp", "optimizer": "adam", "clip_norm": -1.0}, "clip_norm"),
        ({"task": task, "batch_size": 99}, "batch_size"),
        ({"task": task, "schedule": "wsd", "schedule_args": {"kind": "x"}}, "schedule.kind"),
        ({"task": task, "probes": ["sharpness", {"name": "ntk", "examples": 0}]}, "probes.1"),
    ):
        with pytest.raises(ConfigError) as caught:
            lrlab.sweep(**{**given, **arguments})
        (problem,) = caught.value.problems
        assert problem.field.startswith(field), problem


def test_a_preview_is_placed_too(tmp_path, capsys) -> None:
    text = BASE + MLP + '[schedule]\nname = "wsd"\nkind = "foo"\n'
    (tmp_path / "run.toml").write_text(text)
    assert run(["preview", str(tmp_path / "run.toml"), "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    line = 1 + text.splitlines().index('kind = "foo"')
    assert (problem["field"], problem["line"]) == ("schedule.kind", line)


def test_a_value_that_names_nothing_is_the_place_in_a_study(tmp_path) -> None:
    text = BASE.replace("lr = [0.1, 0.2]\n", "") + MLP
    text += '[study]\naxis = "optimizer.name"\nvalues = ["adam", "foo"]\n'
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "study.toml", command="study")
    assert [one.field for one in caught.value.problems] == ["study.values.1"]


def test_registries_stay_plain_in_python() -> None:
    """Called by hand, an error is about the option alone, and a ValueError as ever."""
    for call, path in (
        (lambda: lrlab.models.make("mlp", 2, depth=0), ("depth",)),
        (lambda: lrlab.schedules.make("wsd", 1.0, 10, warmup_kind="x"), ("warmup_kind",)),
        (lambda: lrlab.optimizers.make("adam", 0.1, ema=2.0), ("ema",)),
        (lambda: lrlab.data.load("wine", scale="x"), ("scale",)),
    ):
        with pytest.raises(FieldError) as caught:
            call()
        assert isinstance(caught.value, ValueError) and caught.value.path == path


def test_errors_keep_their_fields_in_another_process() -> None:
    with pytest.raises(DataError) as caught, within("task", "data"):
        raise DataError("no column", "target", also="inputs")
    for error in (caught.value, FieldError(("groups", "a.b"), "no", also=("c",))):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error)
        assert (again.path, again.also) == (error.path, error.also)


def test_what_is_left_unfinished_is_reported_once(tmp_path) -> None:
    """A search inside a comparison: the comparison is what can be continued."""
    text = "steps = 40\nseeds = 1\nbatch_size = 16\nbudget = 3\n" + MLP
    text += '[compare.a]\noptimizer = "sgd"\n[compare.b]\noptimizer = "adam"\n'
    (tmp_path / "both.toml").write_text(text)
    experiment = config.load(tmp_path / "both.toml", command="compare")
    unfinished: list[Path] = []
    control = Control(stop=lambda: True, unfinished=unfinished.append)
    with pytest.raises(Interrupted) as caught:
        api.run("compare", experiment, out=tmp_path / "run", progress=False, control=control)
    assert unfinished == [tmp_path / "run"]
    assert len([note for note in caught.value.__notes__ if "lrlab resume" in note]) == 1
    unfinished.clear()
    with pytest.raises(Interrupted) as caught:  # the part by itself: as it says, too
        api.resume(tmp_path / "run" / "a", progress=False, control=control)
    assert unfinished == [tmp_path / "run" / "a"]
    assert f"lrlab resume {shown(tmp_path / 'run')}" in "".join(caught.value.__notes__)
