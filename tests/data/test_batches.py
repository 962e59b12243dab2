"""Batches are a pure function of (seed, step): exact, whatever the segments and the settings."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.data.batches import Batches, jitted, segment_indices
from lrlab.rng import key


@pytest.mark.parametrize("partitionable", [True, False])
@pytest.mark.parametrize("x64", [False, True])
def test_an_epoch_is_the_permutation_of_its_key(partitionable, x64):
    with jax.threefry_partitionable(partitionable), jax.enable_x64(x64):
        rows = segment_indices(Batches(23, 5), seed=7, start=0, length=12)
        for epoch in range(3):
            order = jax.random.permutation(key(7, "batches", epoch), 23)[:20]
            assert np.array_equal(rows[4 * epoch : 4 * epoch + 4].ravel(), order)
    assert rows.dtype == np.int32 and rows.shape == (12, 5)


def test_segments_do_not_matter():
    batches = Batches(10, 3)
    whole = segment_indices(batches, 1, 0, 300)
    parts = [segment_indices(batches, 1, start, 25) for start in range(0, 300, 25)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert segment_indices(batches, 1, 5, 0).shape == (0, 3)


def test_an_epoch_reads_each_example_at_most_once():
    rows = segment_indices(Batches(100, 7), 0, 0, 14)
    assert len(np.unique(rows)) == 98 and rows.min() >= 0 and rows.max() < 100


def test_replay_repeats_the_first_epoch():
    rows = segment_indices(Batches(10, 5, replay=True), 3, 1, 4)
    first = segment_indices(Batches(10, 5), 3, 0, 2)
    assert np.array_equal(rows, first[[1, 0, 1, 0]])


def test_in_order_keeps_the_datas_order_in_every_epoch():
    """Whatever the seed and the segments; the last partial batch is dropped."""
    batches = Batches(10, 3, in_order=True)
    for seed in (0, 5):
        rows = segment_indices(batches, seed, 1, 5)
        assert rows.dtype == np.int32
        assert rows.tolist() == [[3, 4, 5], [6, 7, 8], [0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert segment_indices(batches, 0, 2, 0).shape == (0, 3)


def test_seeds_and_epochs_differ():
    batches = Batches(64, 64)
    rows = segment_indices(batches, 0, 0, 2)
    assert not np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], segment_indices(batches, 1, 0, 1)[0])


def test_one_program_per_size():
    for seed in range(3):
        segment_indices(Batches(31, 4), seed, 50 * seed, 40)
        segment_indices(Batches(31, 8), seed, 0, 9)
    mode = jax.config.jax_threefry_partitionable, jax.config.jax_default_prng_impl
    assert jitted(31, mode)._cache_size() == 1


@pytest.mark.parametrize(
    ("batches", "seed", "message"),
    [
        (Batches(4, 5), 0, "batch_size = 5 is larger than the training data .4 examples"),
        (Batches(4, 0), 0, "at least 1"),
        (Batches(4, 2), -1, "seed"),
        (Batches(4, 2), 2**32, "seed"),
    ],
)
def test_what_cannot_be_is_named(batches, seed, message):
    with pytest.raises(ValueError, match=message):
        segment_indices(batches, seed, 0, 1)


def test_a_sweep_reads_the_data_in_order():
    """A model that gives 0 has the mean of the batch's squared targets for a loss."""
    y = np.arange(8, dtype=np.float32)
    model = lrlab.Model(
        lambda key, x: {"params": {"w": jnp.zeros(())}},
        lambda variables, x, train, key: (0 * variables["params"]["w"] * x[:, 0], variables),
    )
    data = (np.ones((8, 1), np.float32), y)
    task = lrlab.Task.supervised(name="zeros", model=model, loss="mse", train=data, valid=data)
    result = lrlab.sweep(
        task, lr=[0.1], optimizer="sgd", schedule="constant", steps=6, batch_size=3, seeds=2,
        sampler="in_order", progress=False,
    )  # fmt: skip
    expected = [np.mean(y[i : i + 3] ** 2) for i in (0, 3, 0, 3, 0, 3)]
    for seed in range(2):
        np.testing.assert_allclose(
            result.history["train_loss"][:, 0, seed], expected, rtol=1e-6, atol=1e-6
        )
