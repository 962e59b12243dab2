"""What a supervised task takes beyond pairs of arrays, against the same by hand."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from plain_training import rows_of, scanned

import lrlab
from lrlab import rng
from lrlab.core.errors import ConfigError

STEPS, BATCH, SEEDS = 10, 8, 2
RANDOM = np.random.default_rng(3)
N, LENGTH, WORDS = 44, 6, 11
TOKENS = {
    "tokens": RANDOM.integers(0, WORDS, (N, LENGTH)).astype(np.int32),
    "mask": RANDOM.random((N, LENGTH)) < 0.4,
}
TOKENS["mask"][::7] = False
X = RANDOM.standard_normal((N, 5)).astype(np.float32)
Y = (X[:, 0] - X[:, 1] > 0).astype(np.int32)


class Words(nn.Module):
    """A dict goes in, logits [N, T, words] come out."""

    @nn.compact
    def __call__(self, batch):
        return nn.Dense(WORDS)(nn.relu(nn.Embed(WORDS, 7)(batch["tokens"])))


def masked(outputs, batch):
    losses = optax.softmax_cross_entropy_with_integer_labels(outputs, batch["tokens"])
    return losses, batch["mask"].astype(losses.dtype)


def right(outputs, batch):
    return outputs.argmax(-1) == batch["tokens"], batch["mask"]


def sweep(task, **more):
    options = {"lr": [0.03, 0.3], "optimizer": "adam", "schedule": "constant", "seeds": SEEDS}
    options |= {"steps": STEPS, "batch_size": BATCH, "progress": False}
    return lrlab.sweep(task, **{**options, **more})


def part(data, count):
    return jax.tree.map(lambda leaf: leaf[:count], data)


def by_hand(init, loss, data, lr, seed, *scalars):
    """(trained parameters, training losses) with Adam; `loss(params, batch, key, *scalars)`."""
    params = init(rng.key(seed, "init"))

    def step(carry, batch, key, lr, *scalars):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params, batch, key, *scalars)
        updates, state = optax.adam(lr).update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    rows = rows_of(N, BATCH, seed, STEPS)
    start = (params, optax.adam(0.1).init(params))
    (params, _), losses = scanned(step, start, data, rows, seed, lr, *scalars)
    return params, losses


def same_lanes(result, hand, *names):
    """Every lane of a result against `hand(lr, seed, *values of further axes)`."""
    for place in np.ndindex(result.history["train_loss"].shape[1:]):
        values = [float(np.asarray(axis)[i]) for axis, i in zip(
            [result.lr, *(result.axes[name] for name in names), result.seeds], place, strict=True
        )]  # fmt: skip
        lr, *scalars, seed = values
        losses = hand(lr, int(seed), *scalars)
        np.testing.assert_allclose(
            result.history["train_loss"][(slice(None), *place)], losses, rtol=2e-5, atol=1e-6
        )


@pytest.mark.slow
def test_a_masked_language_model_is_the_same_as_by_hand_and_exact_over_a_split():
    task = lrlab.Task.supervised(
        model=Words(), loss=masked, train=TOKENS, valid=part(TOKENS, 31),
        metrics={"right": (right, "max")},
    )  # fmt: skip
    result = sweep(task, plan=lrlab.Plan(tile_width=1))

    def loss(params, batch, key):
        values, weights = masked(Words().apply({"params": params}, batch), batch)
        total = weights.sum()
        return jnp.where(total > 0, (values * weights).sum() / jnp.where(total > 0, total, 1), 0)

    def init(key):
        return Words().init(key, part(TOKENS, 1))["params"]

    same_lanes(result, lambda lr, seed: by_hand(init, loss, TOKENS, lr, seed)[1])
    params, _ = by_hand(init, loss, TOKENS, float(result.lr[0]), 0)
    held = part(TOKENS, 31)
    values, weights = masked(Words().apply({"params": params}, held), held)
    expected = float((values * weights).sum() / weights.sum())
    np.testing.assert_allclose(result.final["valid_loss"][0, 0], expected, rtol=1e-5, atol=1e-6)
    hits = right(Words().apply({"params": params}, held), held)
    share = float((hits[0] * hits[1]).sum() / hits[1].sum())
    np.testing.assert_allclose(result.final["valid_right"][0, 0], share, rtol=1e-5, atol=1e-6)


def test_a_label_to_ignore_is_the_same_as_a_mask():
    labels = np.where(TOKENS["mask"], TOKENS["tokens"], -100).astype(np.int32)
    pair = (TOKENS["tokens"], labels)

    class Plain(nn.Module):
        @nn.compact
        def __call__(self, tokens):
            return Words(name="words")({"tokens": tokens})

    ignoring = {"name": "softmax_cross_entropy", "ignore_label": -100}
    task = lrlab.Task.supervised(model=Plain(), loss=ignoring, train=pair, valid=part(pair, 31))

    def own(outputs, targets):
        kept = targets >= 0
        values = optax.softmax_cross_entropy_with_integer_labels(
            outputs, jnp.where(kept, targets, 0)
        )
        return values, kept.astype(values.dtype)

    mine = lrlab.Task.supervised(model=Plain(), loss=own, train=pair, valid=part(pair, 31))
    one, other = sweep(task), sweep(mine)
    for name in ("train_loss", "valid_loss"):
        np.testing.assert_allclose(one.history[name], other.history[name], rtol=1e-5, atol=1e-6)
    assert "valid_accuracy" in one.final and "valid_accuracy" not in other.final


def test_a_split_that_is_masked_out_is_nought_and_trains_nothing():
    nothing = {**TOKENS, "mask": np.zeros((N, LENGTH), bool)}
    task = lrlab.Task.supervised(model=Words(), loss=masked, train=nothing, valid=part(TOKENS, 31))
    result = sweep(task, optimizer="sgd")
    assert (result.history["train_loss"] == 0).all()
    assert (result.history["valid_loss"] == result.history["valid_loss"][0]).all()


class Coder(nn.Module):
    """A variational autoencoder; its outputs are a dict."""

    @nn.compact
    def __call__(self, x):
        mean, log_scale = jnp.split(nn.Dense(4)(x), 2, -1)
        noise = jax.random.normal(self.make_rng("sample"), mean.shape)
        code = mean + jnp.exp(log_scale) * noise
        return {"mean": mean, "log_scale": log_scale, "again": nn.Dense(5)(code)}


def elbo(outputs, x, hyper):
    kl = 0.5 * (outputs["mean"] ** 2 + jnp.exp(2 * outputs["log_scale"]) - 1).sum(-1)
    kl = kl - outputs["log_scale"].sum(-1)
    return ((outputs["again"] - x) ** 2).sum(-1) + hyper["kl"] * kl


@pytest.mark.slow
def test_a_pytree_of_outputs_with_its_own_random_stream_and_a_weight_as_a_lane_axis():
    task = lrlab.Task.supervised(
        model=Coder(), loss=elbo, train=(X, X), valid=part((X, X), 20), rngs=("dropout", "sample")
    )
    result = sweep(task, kl=[0.1, 2.0], plan=lrlab.Plan(tile_width=1))

    def loss(params, batch, key, kl):
        rngs = {"sample": rng.key(key, "sample")}
        outputs = Coder().apply({"params": params}, batch[0], rngs=rngs)
        return elbo(outputs, batch[1], {"kl": kl}).mean()

    def init(key):
        return Coder().init(key, X[:1])["params"]

    same_lanes(result, lambda lr, seed, kl: by_hand(init, loss, (X, X), lr, seed, kl)[1], "kl")


def test_a_loss_of_the_whole_batch_is_evaluated_in_batches_of_the_training_size():
    def contrastive(outputs, targets):
        logits = outputs @ outputs.T
        return optax.softmax_cross_entropy_with_integer_labels(
            logits, jnp.arange(len(logits))
        ).mean()

    held = part((X, Y), 20)
    task = lrlab.Task.supervised(
        model=nn.Dense(3), loss=contrastive, train=(X, Y), valid=held, batch_loss=True
    )
    result = sweep(task, plan=lrlab.Plan(tile_width=1))

    def loss(params, batch, key):
        return contrastive(nn.Dense(3).apply({"params": params}, batch[0]), batch[1])

    def init(key):
        return nn.Dense(3).init(key, X[:1])["params"]

    same_lanes(result, lambda lr, seed: by_hand(init, loss, (X, Y), lr, seed)[1])
    params, _ = by_hand(init, loss, (X, Y), float(result.lr[0]), 0)
    parts = [(0, 8), (8, 16), (16, 20)]
    values = [float(loss(params, (X[a:b], Y[a:b]), None)) * (b - a) for a, b in parts]
    np.testing.assert_allclose(
        result.final["valid_loss"][0, 0], sum(values) / 20, rtol=1e-5, atol=1e-6
    )


def test_augmentation_is_of_training_alone_with_a_key_for_each_step():
    def jitter(batch, key, hyper):
        x, y = batch
        return x + hyper["jitter"] * jax.random.normal(key, x.shape), y

    task = lrlab.Task.supervised(
        model=nn.Dense(2), loss="softmax_cross_entropy", train=(X, Y), valid=part((X, Y), 20),
        augment=jitter,
    )  # fmt: skip
    result = sweep(task, axes={"jitter": [0.0, 0.7]}, plan=lrlab.Plan(tile_width=1))

    def loss(params, batch, key, scale):
        x, y = jitter(batch, rng.key(key, "augment"), {"jitter": scale})
        logits = nn.Dense(2).apply({"params": params}, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def init(key):
        return nn.Dense(2).init(key, X[:1])["params"]

    same_lanes(result, lambda lr, seed, s: by_hand(init, loss, (X, Y), lr, seed, s)[1], "jitter")
    assert (result.initial["valid_loss"][:, 0] == result.initial["valid_loss"][:, 1]).all()


class Dropped(nn.Module):
    """The rate of dropout is the lane's."""

    @nn.compact
    def __call__(self, x, train: bool, hyper):
        x = nn.relu(nn.Dense(16)(x))
        if train:
            kept = jax.random.bernoulli(self.make_rng("dropout"), 1 - hyper["rate"], x.shape)
            x = x * kept / (1 - hyper["rate"])
        return nn.Dense(2)(x)


def test_a_model_that_takes_hyper_has_a_lane_axis_of_its_own():
    task = lrlab.Task.supervised(
        model=Dropped(), loss="softmax_cross_entropy", train=(X, Y), valid=part((X, Y), 20)
    )
    result = sweep(task, axes={"rate": [0.0, 0.5]}, plan=lrlab.Plan(tile_width=1))
    losses = result.history["train_loss"]
    assert not np.allclose(losses[:, :, 0], losses[:, :, 1], rtol=1e-3, atol=1e-6)
    plain = sweep(task, axes={"rate": [0.0]}, plan=lrlab.Plan(tile_width=1))
    np.testing.assert_array_equal(plain.history["train_loss"][:, :, 0], losses[:, :, 0])


def test_whole_split_metrics_see_all_predictions_and_are_not_run_in_training():
    seen = []

    def auc(outputs, targets):
        seen.append(outputs.shape)
        scores = outputs[:, 1] - outputs[:, 0]
        above = scores[:, None] > scores[None]
        pairs = (targets[:, None] == 1) & (targets[None] == 0)
        return (above * pairs).sum() / pairs.sum()

    task = lrlab.Task.supervised(
        model=nn.Dense(2), loss="softmax_cross_entropy", train=(X, Y), valid=part((X, Y), 20),
        metrics={"auc": (auc, "max")},
    )  # fmt: skip
    result = sweep(task)
    assert "train_auc" not in result.history and (20, 2) in seen
    assert ((result.final["valid_auc"] >= 0) & (result.final["valid_auc"] <= 1)).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": {"kl": [1.0], "beta": [1.0, 2.0]}}, "'beta'"),
        ({}, r"reads hyper\['kl'\], which is not there"),
        ({"axes": {"kll": [1.0]}}, r"reads hyper\['kl'\].*did you mean 'kll'"),
    ],
)
def test_an_axis_that_nobody_reads_and_one_that_is_not_there_are_named(change, words):
    task = lrlab.Task.supervised(
        model=Coder(), loss=elbo, train=(X, X), valid=part((X, X), 20), rngs="sample"
    )
    with pytest.raises(ConfigError, match=words):
        sweep(task, **change)


def test_a_dict_batch_wants_a_loss_of_its_own():
    with pytest.raises(ValueError, match=r"a dict batch has none by name.*\(outputs, batch\)"):
        lrlab.Task.supervised(model=Words(), loss="mse", train=TOKENS, valid=part(TOKENS, 9))


@pytest.mark.slow
def test_find_range_test_and_probes_work_with_dicts_and_masks():
    task = lrlab.Task.supervised(model=Words(), loss=masked, train=TOKENS, valid=part(TOKENS, 31))
    answer = lrlab.find(task, steps=30, seeds=2, batch_size=BATCH, budget=8, progress=False)
    assert answer.interval[0] <= answer.lr <= answer.interval[1]
    ramp = lrlab.range_test(task, num_steps=60, batch_size=BATCH, progress=False)
    assert np.isfinite(ramp.loss).any()
    probed = sweep(task, probes=["gradient_snr"], eval_every=5)
    assert np.isfinite(next(v for k, v in probed.history.items() if "snr" in k)).any()
