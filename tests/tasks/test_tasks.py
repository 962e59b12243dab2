"""Tasks: registry, losses, exact evaluation, anyone's models through the engine, named errors."""

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
import optax
import pytest
from few import few
from flax import nnx

from lrlab import engine, tasks
from lrlab.core.arrays import aligned
from lrlab.data import DataError
from lrlab.data.batches import Batches, segment_indices
from lrlab.engine.layout import evaluation_steps
from lrlab.engine.plan import make_plan
from lrlab.rng import key
from lrlab.tasks import Task, functions, losses
from lrlab.types import Lanes, Model, Optimizer, Plan, Problem

FAST = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
SGD = Optimizer(lambda hyper: optax.sgd(hyper["lr"]))
RANDOM = np.random.RandomState(0)
X = RANDOM.randn(50, 6).astype(np.float32)
Y = (X @ RANDOM.randn(6, 3)).argmax(-1).astype(np.int32)
SOFTMAX = "softmax_cross_entropy"


@pytest.fixture(scope="session")
def clothes(tmp_path_factory):
    """A small folder in Fashion-MNIST's format."""
    folder = tmp_path_factory.mktemp("fashion")
    for name, count in (("train", 40), ("t10k", 20)):
        pixels = RANDOM.randint(0, 256, (count, 28, 28)).astype(np.uint8)
        for kind, code, array in (
            ("images-idx3", 3, pixels),
            ("labels-idx1", 1, np.arange(count, dtype=np.uint8) % 10),
        ):
            head = struct.pack(f">4B{code}I", 0, 0, 8, code, *array.shape)
            content = gzip.compress(head + array.tobytes())
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(content)
    return folder


def mine(model=None, loss=SOFTMAX, x=X, y=Y, valid=None, **options) -> Task:
    model = nn.Dense(3) if model is None else model
    valid = (x[:17], y[:17]) if valid is None else valid
    return Task.supervised(model=model, loss=loss, train=(x, y), valid=valid, **options)


@pytest.mark.parametrize("offset", [0, 4])
def test_a_task_keeps_its_data(offset):
    """Whether XLA could read the caller's array in place (offset 0) or not."""
    room = aligned(np.zeros(X.nbytes + 64, np.uint8))
    x = room[offset : offset + X.nbytes].view(np.float32).reshape(X.shape)
    x[:] = X
    task = mine(x=x, valid=(x, Y))
    x[:] = 1e9
    for split in ("train", "valid"):
        np.testing.assert_array_equal(task.data[split][0], X)


def train(task, lr=(0.1,), steps=20, batch=8, dtype="float32", eval_steps=None):
    """Through the engine itself, one seed."""
    examples = task.num_examples
    problem = Problem(
        task=task.functions,
        optimizer=SGD,
        schedule=lambda hyper, step: hyper["lr"],
        steps=steps,
        batch_size=batch if examples else None,
        num_examples=examples,
        splits=task.splits,
        dtype=dtype,
    )
    lanes = Lanes({"lr": np.asarray(lr, float)}, np.zeros(len(lr), np.int64))
    plan = make_plan(problem, task.data, ("lr",), len(lr), 1, Plan(tile_width=len(lr), devices=1))
    batches = Batches(examples, batch) if examples and batch else None
    return engine.train(
        problem,
        task.data,
        lanes,
        plan,
        eval_steps=eval_steps or evaluation_steps(steps, steps),
        indices=None if batches is None else lambda *place: segment_indices(batches, *place),
    )


def start(task, seed=0):
    example = jax.tree.map(lambda leaf: leaf[:1], task.data.get("train"))
    return task.functions.init(key(seed, "init"), example)


# The registry


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


# Losses, metrics, evaluation


def test_losses_are_those_of_optax():
    o, t = jnp.asarray(RANDOM.randn(5, 3)), jnp.arange(5) % 3
    expected = optax.softmax_cross_entropy_with_integer_labels(o, t)
    assert jnp.array_equal(losses.softmax_cross_entropy(o, t), expected)
    expected = optax.sigmoid_binary_cross_entropy(o[:, 0], t == 1)
    assert jnp.allclose(losses.sigmoid_binary_cross_entropy(o[:, :1], t == 1), expected)
    assert jnp.allclose(losses.mse(o, o + 2), 4) and losses.mse(o, o).shape == (5,)


def test_mse_reconciles_and_never_broadcasts():
    o, t = jnp.ones((5, 1)), jnp.arange(5.0)
    assert losses.mse(o, t).shape == losses.mse(t, o).shape == (5,)
    with pytest.raises(ValueError, match=r"mse: the outputs have shape \(5, 3\), expected \(5,\)"):
        losses.mse(jnp.ones((5, 3)), t)
    with pytest.raises(ValueError, match="one-hot"):
        mine(loss="mse")


def test_a_loss_of_the_wrong_shape_is_named():
    def broadcast(outputs, targets):
        return (outputs - targets) ** 2

    message = r"loss 'broadcast' gave shape \(7, 7\), expected \(7,\)"
    with pytest.raises(ValueError, match=message):
        mine(nn.Dense(1), broadcast, y=Y.astype(np.float32))
    with pytest.raises(ValueError, match=r"gave shape \(\), expected \(7,\)"):
        mine(loss=lambda o, t: (o**2).mean())
    with pytest.raises(ValueError, match="expected floating"):
        mine(loss=lambda o, t: o.argmax(-1))
    with pytest.raises(ValueError, match="metric 'bad' gave shape"):
        mine(metrics={"bad": (lambda o, t: o, "min")})


def test_binary_and_regression_tasks():
    task = tasks.load("breast_cancer-linear")
    params, state = start(task)
    values = task.functions.evaluate(params, state, task.data["valid"], key(0))
    x, y = task.data["valid"]
    logits = x @ np.asarray(params["readout"]["kernel"])[:, 0]
    assert np.isclose(values["accuracy"], ((logits > 0) == y).mean())
    assert np.isclose(values["loss"], np.log1p(np.exp(-logits * (2 * y - 1))).mean(), rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 50, 64, 65])
def test_evaluation_in_chunks_is_exact(count, monkeypatch):
    """Every example counts once, whatever the chunks; metrics of both kinds."""
    monkeypatch.setattr(functions, "chunking", lambda n, x, y: (-(-n // 16), min(16, n)))
    x = RANDOM.randn(count, 6)
    y = RANDOM.randint(0, 3, count)

    def spread(outputs, targets):
        return jnp.std(outputs[:, 0])

    def largest(outputs, targets):
        return outputs.max(-1)

    metrics = {"accuracy": "accuracy", "spread": (spread, "min"), "largest": (largest, "max")}
    task = mine(valid=(x, y), metrics=metrics)
    assert task.metrics == {"loss": "min", "accuracy": "max", "spread": "min", "largest": "max"}
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: leaf.astype(np.float64), start(task)[0])
        values = jax.jit(task.functions.evaluate)(params, {}, task.data["valid"], key(0))
        outputs = x @ np.asarray(params["kernel"]) + np.asarray(params["bias"])
    logs = np.log(np.exp(outputs).sum(-1)) - outputs[np.arange(count), y]
    expected = dict(
        loss=logs.mean(),
        accuracy=(outputs.argmax(-1) == y).mean(),
        spread=outputs[:, 0].std(),
        largest=outputs.max(-1).mean(),
    )
    for name, value in expected.items():
        assert values[name].dtype == np.float64
        np.testing.assert_allclose(values[name], value, rtol=1e-12, atol=1e-15)


def test_padding_hides_no_nan(monkeypatch):
    monkeypatch.setattr(functions, "chunking", lambda n, x, y: (-(-n // 4), 4))
    task = mine()
    params, state = start(task)
    broken = (X.copy(), Y)
    broken[0][7] = np.nan
    assert np.isnan(task.functions.evaluate(params, state, broken, key(0))["loss"])


def test_chunks_are_few_and_equal():
    x, y = np.zeros((10_000, 28, 28)), np.zeros(10_000)
    chunks, size = functions.chunking(10_000, x, y)
    assert chunks * size - 10_000 < chunks and size <= 334
    assert functions.chunking(359, np.zeros((359, 64)), np.zeros(359)) == (1, 359)


# Anyone's models, through the engine


class BatchNorm(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.5)(nn.Dense(8)(x))
        return nn.Dense(3)(nn.relu(x))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(6, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.2, rngs=rngs)
        self.readout = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.readout(self.drop(nnx.relu(self.norm(self.hidden(x)))))


PLAIN = Model(
    lambda random, x: jax.random.normal(random, (x.shape[1], 3)),
    lambda w, x, train, random: (x @ w, w),
)
MODELS = {"linen": BatchNorm(), "nnx": Nnx, "plain": PLAIN}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dtype", few(["float32", "float64"], 1))
def test_anyones_model_trains(kind, dtype):
    task = mine(MODELS[kind])
    tasks.check(task, 8)
    result = train(task, lr=(0.01, 0.3), steps=30, dtype=dtype)
    loss = result.evaluated["valid_loss"]
    assert loss.dtype == dtype and np.isfinite(loss).all()
    assert loss[-1, 1] < result.initial["valid_loss"][1] and loss[-1, 1] < loss[-1, 0]
    assert set(result.history) == {"train_loss", "train_accuracy", "learning_rate"}
    assert result.evaluated["valid_accuracy"][-1, 1] > 0.5


def test_batch_statistics_change_in_training_only():
    task = mine(BatchNorm())
    params, state = start(task)
    loss = jax.jit(task.functions.loss, compiler_options=FAST)
    value, (after, extra) = loss(params, state, (X[:8], Y[:8]), key(1))
    mean = state["batch_stats"]["BatchNorm_0"]["mean"], after["batch_stats"]["BatchNorm_0"]["mean"]
    batch = (X[:8] @ np.asarray(params["Dense_0"]["kernel"])).mean(0)
    np.testing.assert_allclose(mean[1], 0.5 * batch, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(*mean) and set(extra) == {"accuracy"}
    with_old = task.functions.evaluate(params, state, task.data["valid"], key(0))["loss"]
    with_new = task.functions.evaluate(params, after, task.data["valid"], key(0))["loss"]
    assert with_old != with_new


def test_the_same_task_twice_has_the_same_functions():
    assert mine(BatchNorm()).functions is mine(BatchNorm()).functions
    assert mine(Nnx).functions is mine(Nnx).functions
    assert mine(nn.Dense(3)).functions is not mine(nn.Dense(3), metrics=()).functions


def test_inputs_may_be_a_tree():
    class Two(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(x["a"]) + nn.Dense(3)(x["b"])

    task = mine(Two(), x={"a": X, "b": X[:, :2]}, valid=({"a": X, "b": X[:, :2]}, Y))
    tasks.check(task, 8)
    assert task.num_examples == 50
    assert np.isfinite(train(task, steps=2).evaluated["valid_loss"]).all()


# What does not fit is named before anything compiles


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(y=Y + 1), r"train targets: label 3 at row \d+ .* out of range 0 to 2"),
        (dict(y=Y - 1), "label -1"),
        (dict(y=Y.astype(float)), "labels must be integers"),
        (dict(y=Y[:-1]), "50 inputs but 49 targets"),
        (dict(x=np.where(X > 2, np.nan, X)), "nan at row"),
        (dict(x=X.astype(object) * 1j), "needs numbers, got dtype object"),
        (dict(x=X[:0], y=Y[:0]), "is empty"),
        (dict(valid=(X[:, :5], Y)), r"shapes \[\(5,\), \(\)\], of train \[\(6,\), \(\)\]"),
        (dict(valid=X), "must be a pair"),
    ],
)
def test_wrong_data_are_named(change, message):
    with pytest.raises(DataError, match=message):
        mine(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(model=nn.Conv(3, (3, 3))), "the model fails on inputs float32"),
        (dict(model=lambda rngs: nnx.Linear(5, 3, rngs=rngs)), "the model fails on inputs"),
        (dict(model=3), "must be a Flax Linen module"),
        (dict(loss="crossentropy"), "there is no loss 'crossentropy'"),
        (dict(y=np.stack([Y, Y], 1)), "softmax_cross_entropy: the outputs have shape"),
        (dict(metrics={"a": (len, "up")}), 'must say "min" or "max"'),
        (dict(metrics={"loss": (len, "min")}), "cannot be named 'loss'"),
        (dict(metrics={"a": 3}), "must be .function"),
    ],
)
def test_wrong_parts_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        mine(**change)


def test_batch_sizes_are_checked():
    task = mine()
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
        tasks.check(mine(grows), 8)


# Objectives


def test_gradient_descent_on_a_quadratic_is_the_closed_form():
    spectrum = np.array([4.0, 1.0, 0.25])
    task = tasks.load("quadratic", spectrum=spectrum.tolist(), start="ones")
    rates = np.array([0.1, 0.3, 0.49])
    result = train(task, lr=rates, steps=40, dtype="float64")
    decay = (1 - rates[:, None] * spectrum) ** (2 * np.arange(40)[:, None, None])
    expected = 0.5 * (spectrum * decay).sum(-1)
    np.testing.assert_allclose(result.history["train_loss"], expected, rtol=1e-10, atol=1e-12)
    last = 0.5 * (spectrum * (1 - rates[:, None] * spectrum) ** 80).sum(-1)
    np.testing.assert_allclose(result.evaluated["valid_loss"][-1], last, rtol=1e-10, atol=1e-12)


def test_noisy_quadratic_has_the_stated_noise():
    task = tasks.load("noisy_quadratic", dim=3, noise=2.0, batch=4)
    spectrum = np.array(task.source["spectrum"])
    x = jnp.array([1.0, -1.0, 2.0])

    def gradient(number):
        return jax.grad(lambda x: task.functions.loss(x, {}, None, key(number))[0])(x)

    sample = np.asarray(jax.vmap(gradient)(jnp.arange(4000)))
    np.testing.assert_allclose(sample.mean(0), spectrum * np.asarray(x), atol=0.06)
    np.testing.assert_allclose(sample.var(0), spectrum * 4.0 / 4, rtol=0.1, atol=1e-6)
    value = task.functions.evaluate(x, {}, None, key(9))["loss"]
    np.testing.assert_allclose(
        value, 0.5 * (spectrum * np.asarray(x) ** 2).sum(), rtol=1e-5, atol=1e-6
    )


def test_rosenbrock_minimum():
    task = tasks.load("rosenbrock", dim=4)
    assert task.functions.evaluate(jnp.ones(4), {}, None, key(0))["loss"] == 0
    assert task.functions.evaluate(jnp.zeros(4), {}, None, key(0))["loss"] == 3
    assert tasks.load("rosenbrock", dim=4).functions is task.functions


def test_named_spectra():
    from lrlab.tasks.closed_forms import SPECTRA, eigenvalues

    for name in SPECTRA:
        values = eigenvalues(name, 10, 2.0, 50.0)
        assert len(values) == 10 and values[0] == 2.0 and min(values) > 0
        assert values == sorted(values, reverse=True)
        if name in ("log", "linear", "two"):
            assert np.isclose(values[0] / values[-1], 50)


def test_ones_own_objective():
    def init(random):
        return {"w": jax.random.normal(random, (3,))}

    def noisy(params, random):
        return (params["w"] ** 2).sum() + 0.1 * jax.random.normal(random)

    metrics = {"size": (lambda p: jnp.abs(p["w"]).max(), "min")}
    task = Task.objective("bowl", init, noisy, metrics=metrics)
    tasks.check(task)
    result = train(task, lr=(0.01, 0.1), steps=50, batch=None, eval_steps=[25, 50])
    noise = result.evaluated["valid_loss"] - result.evaluated["valid_size"] ** 2
    assert result.evaluated["valid_size"][-1, 1] < 1e-3
    # The evaluation's key is fixed: at the minimum only the same noise is left.
    assert np.isclose(noise[-1, 1], 0.1 * jax.random.normal(key(0, "evaluation")), atol=1e-5)


@pytest.mark.parametrize(
    ("init", "loss", "message"),
    [
        (lambda k: jnp.zeros(3), lambda p, k: p, r"expected a floating scalar"),
        (lambda k: jnp.zeros(3), lambda p, k: p.no, "loss fails"),
        (lambda k: jnp.zeros(3, int), lambda p, k: 1.0, "must be floating"),
        (lambda k: {}, lambda p, k: 1.0, "no parameters"),
    ],
)
def test_wrong_objectives_are_named(init, loss, message):
    with pytest.raises(ValueError, match=message):
        Task.objective("bad", init, loss)
