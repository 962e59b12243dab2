"""Weights from files: every format gives the tree that was written, and a model starts from it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as orbax
import pytest
from flax import serialization
from stopped_runs import equal, stopped

import lrlab
from lrlab import config
from lrlab.config import ConfigError
from lrlab.core.errors import FieldError, Interrupted, RunError
from lrlab.tasks.weights import nested, read, weights_of
from lrlab.workflows.dispatch import resume, run

X = np.random.default_rng(3).standard_normal((24, 4)).astype(np.float32)
Y = X.sum(1, keepdims=True)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, name="head")(nn.tanh(nn.Dense(3, name="body")(x)))


def weights() -> dict:
    drawn = Net().init(jax.random.key(7), X[:1])["params"]
    return jax.tree.map(np.asarray, drawn)


def flat(tree: dict, mark: str) -> dict[str, np.ndarray]:
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator=mark): x for path, x in leaves}


def task(**more) -> lrlab.Task:
    return lrlab.Task.supervised(
        name="mine", model=Net(), loss="mse", train=(X, Y), valid=(X, Y), **more
    )


def same(one, other) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def in_npz(place: Path, tree: dict, mark: str = "/") -> Path:
    np.savez(place / "w.npz", **flat(tree, mark))
    return place / "w.npz"


def in_msgpack(place: Path, tree: dict) -> Path:
    (place / "w.msgpack").write_bytes(serialization.to_bytes(tree))
    return place / "w.msgpack"


def in_orbax(place: Path, tree: dict) -> Path:
    with orbax.StandardCheckpointer() as checkpointer:
        checkpointer.save(place / "w", tree)
    return place / "w"


def in_safetensors(place: Path, tree: dict, mark: str = ".") -> Path:
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file(flat(tree, mark), place / "w.safetensors")
    return place / "w.safetensors"


FORMATS: list[Callable[[Path, dict], Path]] = [
    in_npz,
    functools.partial(in_npz, mark="."),
    in_msgpack,
    in_orbax,
    in_safetensors,
    functools.partial(in_safetensors, mark="/"),
]


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("below", [(), ("params",)])
def test_every_format_gives_the_tree(write, below, tmp_path: Path) -> None:
    tree = weights()
    for key in below:
        tree = {key: tree}
    path = write(tmp_path, tree)
    same(read(path).tree, tree)
    same(task(params=path).params, {"params": weights()})
    same(task(params=str(path)).params, task(params=tree).params)


@pytest.mark.parametrize("write", [in_msgpack, in_orbax, in_safetensors])
def test_short_floats_keep_their_dtype(write, tmp_path: Path) -> None:
    tree = jax.tree.map(lambda leaf: np.asarray(jnp.asarray(leaf, jnp.bfloat16)), weights())
    same(read(write(tmp_path, tree)).tree, tree)


def test_collections_come_along_and_what_is_of_training_does_not(tmp_path: Path) -> None:
    tree = {"params": weights(), "opt_state": {"mu": np.ones(2)}, "step": np.array(3)}
    held = read(in_npz(tmp_path, tree))
    assert held.left_out == ("opt_state", "step") and list(held.tree) == ["params"]
    start = task(params=tmp_path / "w.npz").source["params"]
    assert start["left_out"] == ["opt_state", "step"] and len(start["sha256"]) == 64
    tree = {"params": weights(), "batch_stats": {"norm": np.ones(2)}}
    assert read(in_npz(tmp_path, tree)).left_out == ()


def test_a_saved_state_of_nnx(tmp_path: Path) -> None:
    from flax import nnx

    class Line(nnx.Module):
        def __init__(self, rngs):
            self.line = nnx.Linear(4, 1, rngs=rngs)

        def __call__(self, x):
            return self.line(x)

    state = nnx.state(Line(nnx.Rngs(3)), nnx.Param)
    path = in_orbax(tmp_path, state)
    of = {"model": Line, "loss": "mse", "train": (X, Y), "valid": (X, Y)}
    same(lrlab.Task.supervised(**of, params=path).params,
         lrlab.Task.supervised(**of, params=state).params)  # fmt: skip


def test_a_function_gives_them(tmp_path: Path) -> None:
    path = in_npz(tmp_path, weights())
    for function in (weights, lambda: path, functools.partial(lambda name: weights(), "a")):
        same(task(params=function).params, {"params": weights()})

    def fails():
        raise OSError("not there")

    with pytest.raises(FieldError, match=r"the function fails .* OSError: not there"):
        weights_of(fails)
    with pytest.raises(FieldError, match="gave another function"):
        weights_of(lambda: fails)


def test_names_that_do_not_match_are_listed_with_the_nearest(tmp_path: Path) -> None:
    tree = {"body": weights()["body"], "head": {"weight": np.ones((3, 1)), "bias": np.ones(1)}}
    with pytest.raises(FieldError) as error:
        task(params=in_npz(tmp_path, tree, "."))
    text = str(error.value)
    assert error.value.field == "task.params" and "w.npz: params do not fit the model" in text
    assert "head/kernel is missing (given is head/weight)" in text
    assert "the model has no head/weight (it has head/kernel)" in text


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["w.npz", "w.msgpack", "w.safetensors"])
def test_a_damaged_file(name: str, tmp_path: Path) -> None:
    if name == "w.safetensors":
        pytest.importorskip("safetensors")
    with pytest.raises(FieldError, match=rf"{name}: cannot be read as "):
        read(write(tmp_path / name, b"\xc1no weights"))


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    path = in_orbax(tmp_path, weights())
    (path / "_METADATA").write_text("{}")
    with pytest.raises(FieldError, match="cannot be read as an orbax checkpoint"):
        read(path)


def test_pickled_arrays_are_not_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", a=np.array([{}], dtype=object))
    with pytest.raises(FieldError, match="cannot be read as a NumPy archive"):
        read(tmp_path / "w.npz")


def test_what_is_no_file_of_weights(tmp_path: Path) -> None:
    in_npz(tmp_path, weights())
    cases = {
        "v.npz": "no such file: .*; did you mean 'w.npz'",
        "a.pt": "a.pt: weights are read from .*a pickle can run any code",
        "a.txt": r"weights are read from \*.flax, .* \*.safetensors and the folders",
        "": "is a folder, but no orbax checkpoint",
    }
    for name, words in cases.items():
        if name.startswith("a."):
            write(tmp_path / name, b"")
        with pytest.raises(FieldError, match=words):
            read(tmp_path / name)
    with orbax.CheckpointManager(tmp_path / "many") as manager:
        manager.save(5, args=orbax.args.StandardSave(weights()))
    with pytest.raises(FieldError, match=r"no orbax checkpoint; did you mean .*many/5/default\?"):
        read(tmp_path / "many")
    with pytest.raises(FieldError, match="is no path"):
        read("")
    write(tmp_path / "many" / "run.json", b"{}")
    with pytest.raises(FieldError, match=r"a run folder; `lrlab export .*many --params DIR`"):
        read(tmp_path / "many")
    with pytest.raises(FieldError, match="holds no tree of weights"):
        read(write(tmp_path / "l.msgpack", serialization.msgpack_serialize([1])))


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(
        FieldError, match=r"w.safetensors: needs .* pip install 'lrlab\[safetensors\]'"
    ):
        read(write(tmp_path / "w.safetensors", b""))


def test_names_below_each_other() -> None:
    for names in (["a", "a.b"], ["a.b", "a"]):
        with pytest.raises(FieldError, match="another array's name"):
            nested(dict.fromkeys(names, np.ones(1)))


CONFIG = """\
steps = 8
batch_size = 16
seeds = 2
lr = [0.05, 0.1]
optimizer = "adam"
plan = {tile_width = 2, segment_steps = 2}
[task]
name = "wine-mlp"
width = 5
params = "weights/w.npz"
trainable = "readout*"
"""


def mlp(value: float = 0.1) -> dict:
    module = lrlab.models.module("mlp", 3, width=5, depth=1)
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, 13))))["params"]
    return jax.tree.map(lambda leaf: np.full(leaf.shape, value, np.float32), shapes)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    in_npz(tmp_path / "weights", mlp())
    (tmp_path / "a.toml").write_text(CONFIG)
    return tmp_path


def train(project: Path, *settings: str, out: str = "run"):
    one = config.load(project / "a.toml", settings, command="sweep")
    return run("sweep", one, out=project / out, progress=False).value


def test_a_configuration_starts_from_a_file(project: Path, monkeypatch) -> None:
    result = train(project)
    given = lrlab.tasks.load("wine-mlp", width=5, params=mlp(), trainable=["readout*"])
    by_hand = lrlab.sweep(given, lr=[0.05, 0.1], steps=8, batch_size=16, seeds=2, optimizer="adam",
                          plan=lrlab.Plan(tile_width=2), progress=False)  # fmt: skip
    np.testing.assert_array_equal(result.history["train_loss"], by_hand.history["train_loss"])
    first = result.history["train_loss"][0]
    np.testing.assert_allclose(first, np.log(3), rtol=1e-5, atol=1e-6)  # all outputs are equal
    info = json.loads((project / "run" / "run.json").read_text())
    assert len(info["identity"]["params"]) == 64
    assert info["data"]["trainable"] == ["readout*"]


@pytest.mark.slow
def test_it_resumes_where_the_file_is_and_refuses_another(project: Path, monkeypatch) -> None:
    train(project, out="whole")
    with monkeypatch.context() as patch:
        stopped(patch, 2)
        with pytest.raises(Interrupted):
            train(project)
    in_npz(project / "weights", mlp(0.2))
    monkeypatch.chdir("/")
    with pytest.raises(RunError, match="the weights to start from differs"):
        resume(project / "run", progress=False)
    in_npz(project / "weights", mlp())
    resume(project / "run", progress=False)
    equal(project / "whole", project / "run")


def test_the_same_weights_elsewhere_are_the_same_run(project: Path) -> None:
    train(project)
    (project / "weights").rename(project / "moved")
    moved = f"task.params={project}/moved/w.npz"
    one = config.load(project / "a.toml", [moved], command="sweep")
    assert run("sweep", one, out=project / "run", progress=False).read


@pytest.mark.parametrize(
    ("setting", "field", "words"),
    [
        ("task.params=none.npz", "task.params", "no such file: "),
        ("task.width=6", "task.params", "hidden_0/kernel has shape (13, 5), expected (13, 6)"),
        ("task.trainable=[]", "task.trainable", "names no parameter"),
        ("task.trainable=haed", "task.trainable", "matches no parameter"),
        (
            "task={name='quadratic', params='weights/w.npz'}",
            "task.params",
            "has no option 'params'",
        ),
    ],
)
def test_mistakes_have_their_place(setting, field, words, project: Path, monkeypatch) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(ConfigError) as error:
        train(project, setting)
    (one,) = error.value.problems
    assert one.field == field and words in one.message and not (project / "run").exists()


def test_another_setting_is_another_experiment(project: Path) -> None:
    one, other, without = (
        config.digest(config.load(project / "a.toml", settings, command="sweep"))
        for settings in ([], ["task.trainable=['*']"], ["task={name='wine-mlp', width=5}"])
    )
    assert len({one, other, without}) == 3
