"""Arguments and keys that nothing reads are refused by name; other tools' words lead to lrlab's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optax
import pytest

import lrlab
from lrlab import config
from lrlab.config import ConfigError

TABLE = {"name": "mine", "external": True}


def own(hyper):
    return optax.sgd(hyper["lr"])


def refused(command: str, **arguments) -> dict[str, str]:
    """Field -> message."""
    with pytest.raises(ConfigError) as caught:
        config.from_arguments(command, **arguments)
    return {problem.field: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize("optimizer", ["sgd", own], ids=["registered", "own"])
@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("params", {"kernel": np.ones(3)}, None),
        ("model_args", {"width": 3}, "task"),
        ("optimiser_args", {"momentum": 0.9}, "optimizer_args"),
        ("optimizer_arg", {"momentum": 0.9}, "optimizer_args"),
        ("temperature", None, None),
        ("temperature", "high", None),
        ("temperature", {}, None),
        ("temperature", True, None),
        ("learning_rate", 0.1, "lr"),
        ("learnign_rate", 0.1, "lr"),
        ("optimiser", "sgd", "optimizer"),
        ("scheduler", "cosine", "schedule"),
        ("batchsize", 8, "batch_size"),
        ("step", 5, "steps"),
        ("n_steps", 5, "steps"),
        ("verbose", False, "progress"),
        ("devices", 1, "plan"),
    ],
)
def test_an_argument_that_is_none_is_refused(optimizer, name, value, meant) -> None:
    said = refused("sweep", task=TABLE, lr=[0.1], optimizer=optimizer, **{name: value})
    assert list(said) == [name] and said[name].startswith("unknown argument")
    assert (f"did you mean {meant!r}?" in said[name]) if meant else ("mean" not in said[name])


@pytest.mark.parametrize("name", ["lr2", "temp", "beta", "scale", "end", "base"])
def test_a_number_for_an_optimizer_of_ones_own_is_an_axis(name) -> None:
    experiment = config.from_arguments(
        "sweep", task=TABLE, lr=[0.1], optimizer=own, **{name: [1.0, 2.0]}
    )
    axes = {axis.name: axis.values for axis in config.resolve(experiment).axes}
    assert axes == {"lr": axes["lr"], name: (1.0, 2.0)}


@pytest.mark.parametrize(
    ("command", "arguments", "name", "words"),
    [
        ("sweep", {"budget": 20}, "budget", "find takes it"),
        ("sweep", {"lr_range": (1e-3, 1.0)}, "lr_range", "find takes it"),
        ("range-test", {"groups": {"a": "b"}}, "groups", "sweep takes it"),
        ("find", {"params": {}}, "params", "range_test takes it"),
        ("range-test", {"steps": 50}, "steps", "sweep takes it"),
        ("range-test", {"schedule": "cosine"}, "schedule", "sweep takes it"),
        ("study", {"axis": "batch_size", "values": [8], "budget": 9}, "budget", "are sweeps"),
    ],
)
def test_an_argument_of_another_function_is_refused(command, arguments, name, words) -> None:
    lr = {} if command in ("find", "range-test") else {"lr": [0.1]}
    said = refused(command, task="wine-linear", **lr, **arguments)
    assert list(said) == [name] and words in said[name]


def test_options_beside_a_function_are_refused() -> None:
    said = refused(
        "sweep", task=TABLE, lr=[0.1], optimizer=own, optimizer_args={"momentum": 0.9},
        schedule=lambda step: 1.0, schedule_args={"warmup": 0.1},
    )  # fmt: skip
    assert set(said) == {"schedule_args"}  # an optimizer function may take what it is given


def test_entries_of_a_comparison_are_checked_by_name() -> None:
    entries = {
        "a": {"optimizer": "sgd", "optimiser_args": {}, "out": "x", "progress": False},
        "b": "adam",
    }
    said = refused("compare", task="wine-linear", entries=entries, model_args={})
    assert set(said) == {
        "entries.a.optimiser_args", "entries.a.out", "entries.a.progress", "entries.b",
        "model_args",
    }  # fmt: skip
    assert "did you mean 'optimizer_args'?" in said["entries.a.optimiser_args"]
    assert "mapping" in refused("compare", task="wine-linear", entries=["a", "b"])["entries"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"optimiser_args": {}}, "optimizer_args"),
        ({"params": {"a": 1, "b": 2}}, "range_test takes it"),
        ({"out": "x"}, "unknown argument of population"),
        ({"seeds": [1, 2]}, "sweep takes it"),
    ],
)
def test_population_refuses_what_it_does_not_read(wrong, words) -> None:
    with pytest.raises(ConfigError, match=words):
        lrlab.population("wine-linear", lr=[0.1, 0.2], steps=4, generations=2, **wrong)


def test_a_range_test_takes_hyperparameters_as_a_sweep_does() -> None:
    given = dict(optimizer="momentum", num_steps=12, seeds=1)
    plain = lrlab.range_test("wine-linear", **given)
    args = lrlab.range_test("wine-linear", optimizer_args={"momentum": 0.5}, **given)
    loose = lrlab.range_test("wine-linear", momentum=0.5, **given)
    assert np.array_equal(loose.loss, args.loss) and not np.array_equal(loose.loss, plain.loss)
    with pytest.raises(ConfigError, match="did you mean 'optimizer_args'"):
        lrlab.range_test("wine-linear", optimiser_args={"momentum": 0.5}, **given)
    with pytest.raises(ConfigError, match="takes one value"):
        lrlab.range_test("wine-linear", momentum=[0.5, 0.9], **given)


BASE = 'lr = 0.1\n[task]\nname = "wine-mlp"\n'


def said_of(tmp_path: Path, text: str, *settings: str) -> dict[str, str]:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(file, settings, command="sweep")
    return {problem.field: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("learning_rate", "lr"),
        ("lr_rnage", "lr_range"),
        ("epoch", "epochs"),
        ("max_steps", "steps"),
        ("num_seeds", "seeds"),
        ("scheduler", "schedule"),
        ("dataset", "task.data"),
        ("loss_fn", "task.loss"),
        ("model", "task.model"),
        ("dtype", "precision"),
        ("weight_deacy", "weight_decay"),
    ],
)
def test_other_words_lead_to_the_field(tmp_path: Path, word: str, meant: str) -> None:
    for said in (said_of(tmp_path, f"{word} = 3\n{BASE}"), said_of(tmp_path, BASE, f"{word}=3")):
        assert said[word] == f"unknown key; did you mean {meant!r}?"


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("task.hidden_size", "width"),
        ("task.num_layers", "depth"),
        ("task.criterion", "loss"),
        ("task.val_split", "valid_fraction"),
        ("task.model.layers", "depth"),
        ("task.data.test_size", "test_fraction"),
    ],
)
def test_other_words_lead_to_the_option(tmp_path: Path, field: str, meant: str) -> None:
    said = said_of(tmp_path, BASE, f"{field}=3")
    assert f"did you mean {meant!r}?" in said[field]


def test_no_far_fetched_meaning(tmp_path: Path) -> None:
    said = said_of(tmp_path, BASE, "task.data.batch_size=3", "callbacks=3")
    assert "mean" not in said["task.data.batch_size"] and "mean" not in said["callbacks"]


def test_unknown_keys_of_a_task_and_of_axes_have_their_place(tmp_path: Path) -> None:
    text = 'lr = 0.1\n[task]\nmodel = "mlp"\ndata = "wine"\nlosss = "mse"\n'
    assert said_of(tmp_path, text) == {"task.losss": "unknown key; did you mean 'loss'?"}
    said = said_of(tmp_path, BASE + "[axes]\nwarmpu = [0.1, 0.2]\n")
    assert set(said) == {"axes.warmpu"} and "did you mean 'warmup'?" in said["axes.warmpu"]
