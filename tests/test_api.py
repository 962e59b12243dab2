"""The public functions, end to end, on real and on closed-form problems."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few
from flax import nnx

import lrlab
from lrlab.config import ConfigError
from lrlab.data.batches import Batches, segment_indices
from lrlab.models.mlp import mlp
from lrlab.rng import key

QUIET = {"progress": False}


def bowl(eigenvalues):
    h = np.asarray(eigenvalues)
    return lrlab.Task.objective(
        name="bowl",
        init=lambda random: jnp.ones(len(h)),
        loss=lambda x, random: 0.5 * jnp.sum(jnp.asarray(h) * x**2),
    )


SHARP = 4.0
THRESHOLDS = {"sgd": 2 / SHARP, "momentum": 2 * 1.9 / SHARP, "nesterov": 3.8 / (2.8 * SHARP)}


@pytest.mark.parametrize("optimizer", list(THRESHOLDS))
def test_sweep_finds_the_stability_threshold(optimizer):
    lr = THRESHOLDS[optimizer] * np.array([0.999, 1.001])
    result = lrlab.sweep(
        bowl([0.1, 1.0, SHARP]), optimizer=optimizer, lr=lr, steps=30_000, seeds=1,
        schedule="constant", precision="float64", eval_every=30_000, **QUIET,
    )  # fmt: skip
    final = result.final["valid_loss"][:, 0]
    assert final[0] < 1e-20
    assert result.outcome[1, 0] == "diverged" or final[1] > 1e6


def test_loss_curve_equals_the_closed_form_in_float64():
    eigenvalues, lr = np.array([0.1, 1.0, SHARP]), np.array([0.01, 0.2, 0.45])
    result = lrlab.sweep(
        bowl(eigenvalues), optimizer="sgd", lr=lr, steps=200, seeds=1, schedule="constant",
        precision="float64", **QUIET,
    )  # fmt: skip
    assert result.history["train_loss"].dtype == np.float64
    k = np.arange(200)[:, None, None]
    exact = 0.5 * (eigenvalues * (1 - lr[:, None] * eigenvalues) ** (2 * k)).sum(-1)
    np.testing.assert_allclose(result.history["train_loss"][..., 0], exact, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def small():
    random = np.random.RandomState(0)
    x = random.randn(160, 6).astype(np.float32)
    y = (x @ random.randn(6, 3)).argmax(-1)
    return (x[:128], y[:128]), (x[128:], y[128:])


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.Dense(12)(x)))


class Nnx(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.first, self.last = nnx.Linear(6, 12, rngs=rngs), nnx.Linear(12, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.relu(self.first(x)))


MODELS = {"linen": Linen(), "nnx": lambda rngs: Nnx(rngs), "mlp": mlp(3, width=[16, 8])}


def task_of(small, model="linen", **changes):
    train, valid = small
    options = {"loss": "softmax_cross_entropy", "metrics": ("accuracy",)} | changes
    return lrlab.Task.supervised(
        name="small", model=MODELS[model], train=train, valid=valid, **options
    )


@pytest.mark.parametrize("model", few(["linen", "nnx"], 1))
def test_own_models_arrays_and_losses(small, model):
    def smooth(outputs, targets):
        labels = optax.smooth_labels(jax.nn.one_hot(targets, 3), 0.1)
        return optax.softmax_cross_entropy(outputs, labels)

    result = lrlab.sweep(
        task_of(small, model, loss=smooth), lr=[0.3, 1e-4, 0.03], optimizer="adam", seeds=2,
        steps=30, batch_size=32, **QUIET,
    )  # fmt: skip
    assert result.lr.tolist() == [0.3, 1e-4, 0.03]
    assert result.final["valid_accuracy"].shape == (3, 2)
    assert result.history["valid_loss"].shape == (20, 3, 2)
    assert result.eval_steps[-1] == 30


def test_a_loss_of_the_wrong_shape_is_named_not_broadcast(small):
    with pytest.raises(ValueError, match=r"loss.*\(\d+, 3\)|shape"):
        task_of(small, loss=lambda outputs, targets: outputs)


@pytest.mark.parametrize("model", few(["linen", "mlp"], 1))
def test_a_lane_equals_the_run_written_by_hand(small, model):
    (x, y), _ = small
    result = lrlab.sweep(
        task_of(small, model), lr=[0.1, 1e-3], optimizer="adam", schedule="cosine", steps=40,
        seeds=2, batch_size=32, plan=lrlab.Plan(tile_width=1), **QUIET,
    )  # fmt: skip
    xs, ys, model = jnp.asarray(x), jnp.asarray(y), MODELS[model]
    rows = segment_indices(Batches(len(x), 32), 1, 0, 40)
    params = model.init(key(1, "init"), x[:1])["params"]
    tx = optax.adam(optax.cosine_decay_schedule(jnp.float32(0.1), 40))

    def body(carry, index):
        params, state = carry

        def loss(params):
            logits = model.apply({"params": params}, xs[index])
            return optax.softmax_cross_entropy_with_integer_labels(logits, ys[index]).mean()

        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    carry = (params, tx.init(params))
    hand = jax.jit(lambda carry, rows: jax.lax.scan(body, carry, rows)[1])(carry, rows)
    assert np.array_equal(result.history["train_loss"][:, 0, 1], np.asarray(hand))


@pytest.mark.slow
def test_further_axes_and_dataset(small):
    result = lrlab.sweep(
        task_of(small), lr=[0.1, 1e-3], optimizer="adamw", weight_decay=[0.0, 0.1, 1.0], steps=10,
        seeds=[4, 9], batch_size=32, **QUIET,
    )  # fmt: skip
    assert result.final["valid_loss"].shape == (2, 3, 2)
    data = result.dataset()
    assert data["train_loss"].dims == ("step", "lr", "weight_decay", "seed")
    assert data["seed"].values.tolist() == [4, 9]
    assert result.best().lr is not None


def test_one_learning_rate_per_group(small):
    result = lrlab.sweep(
        task_of(small), lr={"first": [0.1, 0.01], "last": [0.0 + 1e-3]}, optimizer="sgd",
        groups={"first": ".*Dense_0.*", "last": ".*Dense_1.*"}, steps=5, seeds=1, batch_size=32,
        schedule="constant", **QUIET,
    )  # fmt: skip
    assert list(result.axes) == ["lr_first", "lr_last"]
    assert np.allclose(result.history["learning_rate_first"][:, 0], 0.1)
    assert np.allclose(result.history["learning_rate_last"], 1e-3)


@pytest.mark.slow
def test_saved_results_load_to_the_same_bits(small, tmp_path):
    result = lrlab.sweep(
        task_of(small), lr=[1e30, 0.1], optimizer="momentum", steps=20, seeds=2, batch_size=32,
        **QUIET,
    )  # fmt: skip
    loaded = lrlab.load(result.save(tmp_path / "run"))
    for name, values in result.history.items():
        assert np.array_equal(loaded.history[name], values, equal_nan=True), name
    assert (loaded.outcome == result.outcome).all()
    assert loaded.best().sentence == result.best().sentence


@pytest.mark.slow
def test_out_resumes_after_an_interruption_to_the_same_bits(small, tmp_path, monkeypatch):
    from lrlab.core.errors import Interrupted
    from lrlab.runs import RunError, recorder

    monkeypatch.setattr(recorder, "INTERVAL", 0.0)
    arguments = dict(
        lr=[0.5, 1e-3, 1e30], optimizer="momentum", steps=60, seeds=2, batch_size=32,
        plan=lrlab.Plan(tile_width=2, segment_steps=7), **QUIET,
    )  # fmt: skip
    whole = lrlab.sweep(task_of(small), **arguments)
    pressed = []

    def press():
        pressed.append(1)
        return len(pressed) > 4

    import contextlib

    with monkeypatch.context() as patch:
        patch.setattr("lrlab.workflows.job.interruptible", lambda *_: contextlib.nullcontext(press))
        with pytest.raises(Interrupted):
            lrlab.sweep(task_of(small), out=tmp_path / "run", **arguments)
    with pytest.raises(RunError, match="another experiment"):
        lrlab.sweep(task_of(small), out=tmp_path / "run", **(arguments | {"steps": 61}))
    resumed = lrlab.sweep(task_of(small), out=tmp_path / "run", **arguments)
    for name, values in whole.history.items():
        assert np.array_equal(resumed.history[name], values, equal_nan=True), name
    assert (resumed.outcome == whole.outcome).all()
    read = lrlab.sweep(task_of(small), out=tmp_path / "run", **arguments)
    assert np.array_equal(read.history["train_loss"], whole.history["train_loss"], equal_nan=True)


@pytest.mark.slow
def test_find_keeps_its_budget_and_its_run(small, tmp_path):
    answer = lrlab.find(
        task_of(small), optimizer="adam", steps=40, batch_size=32, budget=15, seeds=2,
        out=tmp_path / "run", **QUIET,
    )  # fmt: skip
    assert answer.cost <= 15
    assert answer.interval[0] <= answer.lr <= answer.interval[1]
    assert answer.run == str(tmp_path / "run")
    assert (tmp_path / "run" / "report.html").exists()
    again = lrlab.find(
        task_of(small), optimizer="adam", steps=40, batch_size=32, budget=15, seeds=2, **QUIET
    )
    assert again.lr == answer.lr and again.evidence == answer.evidence


def test_range_test_shapes_and_rules(small):
    test = lrlab.range_test(task_of(small), optimizer="adam", num_steps=60, seeds=3, batch_size=16)
    assert test.loss.shape == (3, 60) and test.lr[0] == 1e-7 and test.lr[-1] == 10.0
    assert test.suggest("valley").shape == (3,)
    parallel = lrlab.range_test(
        task_of(small), optimizer="adam", num_steps=12, seeds=2, batch_size=16, kind="parallel"
    )
    assert parallel.loss.shape == (2, 12)
    params = MODELS["linen"].init(jax.random.key(5), np.zeros((1, 6), np.float32))["params"]
    before = jax.tree.map(np.array, params)
    given = lrlab.range_test(
        task_of(small), optimizer="adam", num_steps=10, seeds=1, batch_size=16, params=params,
        split="valid",
    )  # fmt: skip
    assert given.loss.shape == (1, 10)
    assert jax.tree.all(jax.tree.map(np.array_equal, before, params))


def test_compare_says_who_wins(small):
    comparison = lrlab.compare(
        {"adam": {"optimizer": "adam"}, "frozen": {"optimizer": "sgd", "lr_range": (1e-9, 1e-8)}},
        task=task_of(small), steps=40, batch_size=32, budget=12, seeds=3, **QUIET,
    )  # fmt: skip
    assert comparison.rows[0].name == "adam"
    assert "adam" in str(comparison)


def test_everything_wrong_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        lrlab.sweep("digits-mlpp", lr=[-1.0], optimizer="adamm", steps=0, **QUIET)
    fields = {problem.field for problem in caught.value.problems}
    assert {"task.name", "lr", "optimizer.name", "steps"} <= fields
    assert "did you mean 'adam'" in str(caught.value)


def test_batch_larger_than_the_data_and_unknown_axis(small):
    with pytest.raises(ConfigError, match="batch_size 999"):
        lrlab.sweep(task_of(small), lr=[0.1], steps=5, batch_size=999, **QUIET)
    with pytest.raises(ConfigError):
        lrlab.sweep(task_of(small), lr=[0.1], steps=5, batch_size=8, wieght_decay=[0.1], **QUIET)


def test_repeated_rates_and_extreme_rates(small):
    result = lrlab.sweep(
        task_of(small), lr=[0.1, 0.1, 1e-40, 1e30], optimizer="sgd", steps=8, seeds=1,
        batch_size=32, plan=lrlab.Plan(tile_width=4), **QUIET,
    )  # fmt: skip
    losses = result.history["train_loss"]
    assert np.array_equal(losses[:, 0], losses[:, 1])
    assert result.outcome[2, 0] == "ok" and result.outcome[3, 0] == "diverged"


def test_find_where_everything_diverges(small):
    answer = lrlab.find(
        task_of(small), optimizer="sgd", lr_range=(1e25, 1e30), steps=12, batch_size=32, budget=6,
        **QUIET,
    )  # fmt: skip
    assert answer.verdict == "none" and answer.lr is None and "diverged" in answer.sentence


def test_a_finished_transformation_is_refused_with_what_to_pass():
    import optax

    with pytest.raises(ConfigError, match=r"lambda hyper: optax.adam\(hyper") as found:
        lrlab.sweep("iris-linear", lr=[0.1], optimizer=optax.adam(1e-3), progress=False)
    assert found.value.problems[0].field == "optimizer"
