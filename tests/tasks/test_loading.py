"""Tasks by name and from parts: the registry, options, files, batch sizes."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from few import few
from small_task import X, Y, small_task, start

from lrlab import tasks
from lrlab.types import Model


@pytest.fixture(scope="session")
def clothes(tmp_path_factory):
    """A small folder in Fashion-MNIST's format."""
    folder, random = tmp_path_factory.mktemp("fashion"), np.random.RandomState(0)
    for name, count in (("train", 40), ("t10k", 20)):
        pixels = random.randint(0, 256, (count, 28, 28)).astype(np.uint8)
        for kind, code, array in (
            ("images-idx3", 3, pixels),
            ("labels-idx1", 1, np.arange(count, dtype=np.uint8) % 10),
        ):
            head = struct.pack(f">4B{code}I", 0, 0, 8, code, *array.shape)
            content = gzip.compress(head + array.tobytes())
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(content)
    return folder


@pytest.mark.parametrize("name", few(tasks.NAMES, 6))
def test_every_task_loads_and_fits_the_engine(name, clothes, monkeypatch):
    monkeypatch.setenv("LRLAB_DATA", str(clothes))
    task = tasks.load(name)
    tasks.check(task, None if task.is_objective else 8)
    assert task.name == name and task.metrics["loss"] == "min"
    assert hash(task.functions) == hash(tasks.load(name).functions)
    assert tasks.load(name).functions == task.functions  # so nothing compiles twice
    source = json.loads(json.dumps(task.source))
    if task.data:
        assert len(source["data"]["sha256"]) == 64 and source["data"]["license"]
        assert {"train", "valid"} <= set(task.data)
    for option, value in tasks.options(name).items():
        assert isinstance(option, str) and value is not Ellipsis


def test_loading_touches_no_device():
    code = (
        "import sys; from lrlab import tasks; tasks.NAMES; assert 'jax' not in sys.modules;"
        "[tasks.check(tasks.load(n)) for n in ('iris-linear', 'digits-mlp', 'quadratic')];"
        "from jax._src import xla_bridge as b; assert not b.backends_are_initialized()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_options_nested_flat_and_combined():
    assert tasks.load("wine-mlp", model={"width": 7}).source["model"]["width"] == 7
    task = tasks.load("wine-mlp", width=7, valid_fraction=0.5)
    assert task.source["model"]["width"] == 7 and task.num_examples == 89
    assert jax.eval_shape(lambda: start(task))[0]["hidden_0"]["kernel"].shape == (13, 7)
    assert tasks.load("wine-mlp", data="iris").data["train"][0].shape[1:] == (4,)
    changed = tasks.load("wine-mlp", model={"name": "linear"})
    assert changed.source["model"] == {"name": "linear"}
    assert tasks.load("iris-mlp", width=5).functions == tasks.load("iris-mlp", width=5).functions
    assert tasks.load("iris-mlp", width=5).functions != tasks.load("iris-mlp", width=6).functions
    assert tasks.load("digits-resnet", channels=[4]).data["train"][0].shape[1:] == (8, 8)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digit-mlp", {}, "did you mean 'digits-mlp'"),
        ("digits-mlp", {"widht": 3}, "did you mean 'width'"),
        ("digits-mlp", {"model": {"widht": 3}}, "did you mean 'width'"),
        ("digits-mlp", {"data": {"flatt": 3}}, "did you mean 'flat'"),
        ("digits-mlp", {"loss": "mes"}, "did you mean 'mse'"),
        ("digits-mlp", {"metrics": ["acuracy"]}, "did you mean 'accuracy'"),
        ("digits-mlp", {"valid_fraction": 0.0}, "no validation split"),
        ("digits-mlp", {"loss": "binary"}, "needs two classes, digits has 10"),
        ("quadratic", {"spectrun": [1.0]}, "did you mean 'spectrum'"),
        ("quadratic", {"spectrum": "flat"}, "spectrum must be one of"),
        ("quadratic", {"spectrum": []}, "at least one"),
        ("quadratic", {"model": {"width": 3}}, "no option 'model'"),
        ("quadratic", {"condition": 0.5}, "condition >= 1"),
        ("rosenbrock", {"dim": 1}, "at least 2"),
        ("noisy_quadratic", {"batch": 0}, "batch must be"),
    ],
)
def test_wrong_requests_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        tasks.load(name, **options)


def test_build_from_parts_and_from_files(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    task = tasks.build({"name": "mlp", "width": 4}, {"name": f"npz:{tmp_path}/a.npz"})
    assert dict(task.metrics) == {"loss": "min", "accuracy": "max"}
    task = tasks.build("linear", {"name": "npz", "path": "a.npz"}, loss="mse", root=tmp_path)
    assert dict(task.metrics) == {"loss": "min"}  # whole numbers, but asked for as numbers
    task = tasks.build(nn.Dense(3), "iris", loss=lambda o, t: (o**2).sum(-1), metrics=["accuracy"])
    assert task.name == "iris-model" and "Dense" in task.source["model"]
    task = tasks.build("linear", "iris", loss="mse")  # one-hot
    assert task.data["train"][1].shape == (120, 3) and "accuracy" in task.metrics


def test_batch_sizes_are_checked():
    task = small_task()
    tasks.check(task, 50)
    tasks.check(task, "full")
    for size, message in ((51, "larger than the training data"), (0, "at least 1"), ("all", "or")):
        with pytest.raises(ValueError, match=message):
            tasks.check(task, size)
    with pytest.raises(ValueError, match="give no batch_size"):
        tasks.check(tasks.load("quadratic"), 8)


def test_a_model_whose_collections_change_shape_is_named():
    grows = Model(
        lambda random, x: {"params": jnp.zeros((6, 3)), "seen": jnp.zeros(1)},
        lambda v, x, train, random: (x @ v["params"], {**v, "seen": jnp.zeros(2)}),
    )
    with pytest.raises(ValueError, match="changes the shapes of the model's collections"):
        tasks.check(small_task(grows), 8)
