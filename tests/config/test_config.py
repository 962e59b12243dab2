"""Configuration: every mistake at once with its place, layers, round trips, digests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from configurations import GOOD, axes_of, problems, said, write

from lrlab import config
from lrlab.config import ConfigError
from lrlab.config.lanes import parse_budget


def test_defaults_fill_in(tmp_path: Path) -> None:
    experiment = config.load(write(tmp_path, GOOD), command="sweep")
    assert experiment.schedule.name == "cosine"
    assert experiment.batch_size == 64
    assert experiment.metric == "valid_loss"
    assert experiment.task.data is not None and experiment.task.data.valid_fraction == 0.2
    assert axes_of(experiment)["lr"] == pytest.approx((0.001, 0.01, 0.1, 1.0))
    assert config.resolve(experiment).seeds == (0, 1)


def test_every_problem_at_once_with_its_line(tmp_path: Path) -> None:
    text = GOOD.replace("steps = 200", "steps = 0").replace("seeds = 2", "sedes = 2")
    text = text.replace('"momentum"', '"momentun"') + "[schedule]\nname = 'cosin'\n"
    found = problems(tmp_path, text, "plan.tile_width=wide")
    lines = {p.field: (Path(p.file).name, p.line) for p in found}
    assert lines["steps"] == ("run.toml", 1)
    assert lines["sedes"] == ("run.toml", 2)
    assert lines["schedule.name"] == ("run.toml", 12)
    assert lines["plan.tile_width"] == ("--set", 1)
    messages = {p.field: p.message for p in found}
    assert "did you mean 'seeds'?" in messages["sedes"]
    assert "did you mean 'cosine'?" in messages["schedule.name"]
    assert "at least 1, got 0" in messages["steps"]
    assert str(found[-1]).startswith(f"{tmp_path / 'run.toml'}:")


@pytest.mark.parametrize(
    ("setting", "field", "message"),
    [
        ("lr=-0.1", "lr", "must not be negative, got -0.1"),
        ("lr={log=[0, 1, 5]}", "lr", "greater than 0"),
        ("lr=nan", "lr", "finite"),
        ("task.when=1979-05-27", "task.when", "must not be a date"),
        ("lr=[]", "lr", "at least one number"),
        ("lr=fast", "lr", "must be a number or a list of numbers"),
        ("lr={log=[1.0, 0.1, 5]}", "lr", "low must be below high"),
        ("lr={log=[0.1, 1.0, 1]}", "lr", "at least 2"),
        ("lr={log=[0.1, 1.0, 2.5]}", "lr", "whole number"),
        ("lr={log=[0.1, 1.0]}", "lr", "[low, high, num]"),
        ("lr={log=[0.1, 1.0, 3], linear=[0.1, 1.0, 3]}", "lr", "one of"),
        ("lr={hidden=0.1}", "lr.hidden", "no group"),
        ("steps=0", "steps", "at least 1"),
        ("steps=2.5", "steps", "whole number"),
        ("steps=many", "steps", "whole number"),
        ("steps=true", "steps", "whole number"),
        ("epochs=-1", "epochs", "greater than 0"),
        ("seeds=0", "seeds", "at least 1"),
        ("seeds=[1, 1]", "seeds", "must not repeat a seed"),
        ("seeds=[]", "seeds", "at least one seed"),
        ("seeds=1.5", "seeds", "whole number"),
        ("batch_size=0", "batch_size", "at least 1"),
        ("batch_size=ful", "batch_size", '"full"'),
        ("budget=0", "budget", "greater than 0"),
        ("budget=soon", "budget", "60s"),
        (
            "tolerance=[0.01, 0.02]",
            "tolerance",
            "one number above 0 and below 1 (0.01 is one percent)",
        ),
        ("tolerance=high", "tolerance", "one number above 0"),
        ("tolerance=0", "tolerance", "greater than 0"),
        ("confidence=90", "confidence", "must be below 1 (0.9 is nine of ten"),
        ("confidence=[0.9]", "confidence", "one number above 0"),
        ("lr_range=[1.0, 0.1]", "lr_range", "low must be below high"),
        ("lr_range=[0.0, 1.0]", "lr_range", "greater than 0"),
        ("precision=float16", "precision", "must be 'float32', 'float64', 'bfloat16' or 'mixed'"),
        ("sampler=random", "sampler", "must be 'shuffle', 'replay' or 'in_order'"),
        ("stop_diverged=1", "stop_diverged", "true or false"),
        ("metric=accuracy", "metric", "did you mean 'valid_accuracy'?"),
        ("eval_every=0", "eval_every", "at least 1"),
        ("eval_every=500", "eval_every", "must not be above steps"),
        ("optimizer=3", "optimizer", "must be a table"),
        ("task.model=3", "task.model", "must be a table"),
        ("task.data.valid_fraction=1.5", "task.data.valid_fraction", "below 1"),
        ("task.data.test_fraction=0.9", "task.data.test_fraction", "nothing to train on"),
        ("schedule.finall=0.1", "schedule.finall", "did you mean 'final'?"),
        ("schedule.final=low", "schedule.final", "must be a number"),
        ("optimizer.momentun=0.9", "optimizer.momentun", "did you mean 'momentum'?"),
        ("optimizer.momentum=high", "optimizer.momentum", "must be a number"),
        ("optimizer.accumulate=[1, 2]", "optimizer.accumulate", "cannot be a lane axis"),
        ("optimizer.accumulate=1.5", "optimizer.accumulate", "whole number"),
        ("weight_decy=[0.0, 0.1]", "weight_decy", "unknown key"),
        ("range_test.end=1e-9", "range_test.end", "above start"),
        ("range_test.kind=ramps", "range_test.kind", "did you mean 'ramp'?"),
        ("task.data.name=npz", "task.data.path", "is missing"),
        ('task.data={name="csv", path="/nowhere/x.csv"}', "task.data.path", "no such file"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, setting: str, field: str, message: str) -> None:
    text = GOOD.replace('data.name = "digits"', 'data = {name = "digits", valid_fraction = 0.2}')
    found = said(tmp_path, text, setting)
    assert field in found, found
    assert message in found[field]


def test_numbers_out_of_toml_are_numbers(tmp_path: Path) -> None:
    experiment = config.load(write(tmp_path, GOOD), ["lr=1e-3", "schedule.final=.5"], "sweep")
    assert axes_of(experiment)["lr"] == (0.001,)
    assert config.resolve(experiment).schedule_args == {"final": 0.5}


def test_what_a_command_needs(tmp_path: Path) -> None:
    without = GOOD.replace("lr = {log = [1e-3, 1.0, 4]}\n", "")
    assert "sweep needs learning rates" in said(tmp_path, without)["lr"]
    assert config.load(write(tmp_path, without), command="find").lr_range == [1e-6, 10.0]
    assert "compare needs entries" in said(tmp_path, GOOD, command="compare")["compare"]
    assert "searches a range" in said(tmp_path, GOOD, "lr=0.1", command="find")["lr"]
    swept = said(tmp_path, GOOD, "schedule.final=[0.0, 0.1]", command="range-test")
    assert "sweep takes several" in swept["schedule.final"]


def test_find_searches_the_span_of_lr(tmp_path: Path) -> None:
    assert config.load(write(tmp_path, GOOD), command="find").lr_range == [1e-3, 1.0]


def test_a_task_needs_a_name_or_both_parts(tmp_path: Path) -> None:
    assert "must have a name" in said(tmp_path, "lr = 0.1\n[task]\n")["task"]
    assert "is missing" in said(tmp_path, "lr = 0.1\n")["task"]
    only = said(tmp_path, "lr = 0.1\n[task]\nmodel = 'mlp'\n")
    assert "needs task.data" in only["task.data"]


def test_extends_is_relative_and_overridden(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    write(tmp_path / "base", GOOD)
    child = write(
        tmp_path, "extends = 'base/run.toml'\nepochs = 2\noptimizer.name = 'sgd'\n", "child.toml"
    )
    experiment = config.load(child, command="sweep")
    assert experiment.optimizer.name == "sgd"
    assert (experiment.steps, experiment.epochs) == (None, 2.0)
    assert experiment.seeds == 2


def test_a_problem_in_the_extended_file_names_it(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("steps = 200", "steps = -3"), "base.toml")
    (problem,) = problems(tmp_path, "extends = 'base.toml'\nseeds = 3\n")
    assert (Path(problem.file).name, problem.line, problem.field) == ("base.toml", 1, "steps")


def test_circles_and_absent_files(tmp_path: Path) -> None:
    write(tmp_path, "extends = 'run.toml'\n", "other.toml")
    found = problems(tmp_path, GOOD.replace("steps", "extends = 'other.toml'\nsteps", 1))
    assert any("a circle: run.toml -> other.toml -> run.toml" in p.message for p in found)
    found = problems(tmp_path, "extends = 'nowhere.toml'\n" + GOOD)
    assert (found[0].line, "no such configuration file" in found[0].message) == (1, True)
    with pytest.raises(ConfigError, match="no such configuration file"):
        config.load(tmp_path / "absent.toml")


def test_text_that_is_not_toml(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "steps = 3\nseeds = = 2\n")
    assert problem.line == 2 and problem.message.startswith("not TOML")


def test_another_name_brings_its_own_options(tmp_path: Path) -> None:
    text = GOOD + "[schedule]\nname = 'wsd'\ncooldown = 0.3\n"
    experiment = config.load(write(tmp_path, text), ["schedule.name=linear"], "sweep")
    assert config.resolve(experiment).schedule_args == {}
    same = config.load(write(tmp_path, text), ["schedule.final=0.1"], "sweep")
    assert config.resolve(same).schedule_args == {"cooldown": 0.3, "final": 0.1}
    data = config.load(write(tmp_path, text), ["task.data.name=wine"], "sweep").task.data
    assert data is not None and data.name == "wine"


def test_set_replaces_tables_given_whole(tmp_path: Path) -> None:
    experiment = config.load(write(tmp_path, GOOD), ['task.model={name="mlp"}'], "sweep")
    assert experiment.task.model is not None and not experiment.task.model.model_extra
    (problem,) = problems(tmp_path, GOOD, "seeds")
    assert "a.b=value" in problem.message


def test_compare_entries_are_whole_experiments(tmp_path: Path) -> None:
    text = GOOD + "[compare.a]\nsteps = 100\n[compare.b]\nschedule.name = 'linear'\n"
    experiment = config.load(write(tmp_path, text), command="compare")
    assert experiment.entries["a"].steps == 100
    assert experiment.entries["b"].schedule.name == "linear"
    assert experiment.entries["b"].steps == 200
    (problem,) = problems(tmp_path, text.replace("linear", "lineer"), command="compare")
    assert problem.field == "compare.b.schedule.name" and problem.line == 14


def test_range_test_takes_seeds_and_batch_size_from_the_top(tmp_path: Path) -> None:
    experiment = config.load(write(tmp_path, GOOD), command="range-test")
    assert (experiment.range_test.seeds, experiment.range_test.batch_size) == (2, 32)


def test_data_path_is_relative_to_its_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.zeros((3, 2)), y=np.zeros(3, int))
    text = GOOD.replace('data.name = "digits"', 'data = "npz:my.npz"')
    data = config.load(write(tmp_path, text), command="sweep").task.data
    assert data is not None
    assert (data.name, data.path) == ("npz", str(tmp_path.resolve() / "my.npz"))


def test_from_arguments_checks_like_a_file() -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_arguments("sweep", task="mine", lr=np.array([-1.0]), steps=0, stepss=3)
    fields = {p.field: p for p in caught.value.problems}
    assert {"lr", "steps", "stepss"} <= set(fields)
    assert fields["lr"].file == "<python>" and fields["lr"].line is None
    assert str(fields["steps"]) == "steps: must be at least 1, got 0"


def test_from_arguments_takes_arrays_none_and_functions() -> None:
    experiment = config.from_arguments(
        "sweep",
        task={"name": "mine", "external": True},
        lr=np.geomspace(1e-3, 1, 4),
        seeds=range(2),
        steps=np.int64(7),
        batch_size=None,
        optimizer=lambda lr: lr,
        schedule="linear",
        schedule_args={"final": 0.1},
        progress=False,
        plan=None,
    )
    assert len(axes_of(experiment)["lr"]) == 4
    assert experiment.optimizer.external and experiment.steps == 7
    assert config.resolve(experiment).schedule_args == {"final": 0.1}


def test_budget_words() -> None:
    assert parse_budget("2h") == (None, 7200.0)
    with pytest.raises(ValueError, match="60s"):
        parse_budget("1.2.3s")


def test_later_problems_find_their_line(tmp_path: Path) -> None:
    experiment = config.load(write(tmp_path, GOOD), command="sweep")
    problem = config.problem(experiment, "task.data", "labels out of range")
    assert (problem.line, problem.field) == (7, "task.data")


def test_loading_imports_no_jax(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    code = (
        "import sys; from lrlab import config; "
        f"config.load({str(path)!r}, command='sweep'); assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_study_keeps_its_axis_when_only_its_values_are_set(tmp_path) -> None:
    """A table that holds `values` alone looks like lanes, and is the study's own table here."""
    text = (
        "lr = [0.1, 1.0]\ntask.name = 'wine-linear'\n[study]\naxis = 'batch_size'\nvalues = [2, 4]"
    )
    (tmp_path / "mine.toml").write_text(text)
    experiment = config.load(str(tmp_path / "mine.toml"), ["study.values=[8, 16]"], "study")
    assert experiment.study is not None
    assert (experiment.study.axis, experiment.study.values) == ("batch_size", [8, 16])


@pytest.mark.parametrize("named", ["optimizer.name=adamw", "optimizer=adamw"])
def test_set_does_not_lose_options_that_stand_before_the_name(tmp_path: Path, named: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        'task = "wine-linear"\nlr = [0.1]\noptimizer = {name = "sgd", clip_norm = 1.0}\n'
    )
    settings = ["optimizer.weight_decay=0.1", named, "optimizer.b1=0.8"]
    for given in (settings, settings[::-1]):
        one = config.load(path, given, command="sweep").optimizer
        assert one.model_dump(exclude_defaults=True) == {
            "name": "adamw", "weight_decay": 0.1, "b1": 0.8
        }  # fmt: skip
