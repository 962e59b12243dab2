"""Splits: stratified, disjoint, seeded, limited, scaled by the training part."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab import data
from lrlab.data import DataError
from lrlab.data.splits import split


def test_standardized_by_the_training_split():
    loaded = data.load("diabetes")
    x, y = loaded.train
    assert np.allclose(x.mean(0), 0, atol=1e-12) and np.allclose(x.std(0), 1)
    assert np.isclose(y.mean(), 0, atol=1e-12) and np.isclose(y.std(), 1)
    assert not np.allclose(loaded.valid[0].mean(0), 0, atol=1e-6)
    raw = data.load("diabetes", scale="none")
    assert np.allclose((raw.valid[1] - raw.train[1].mean()) / raw.train[1].std(), loaded.valid[1])


def test_constant_columns_become_zero(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,y\n" + "".join(f"0.1,{i},{i % 2}\n" for i in range(20)))
    assert np.array_equal(data.load(f"csv:{path}").train[0][:, 0], np.zeros(16))


def test_split_is_stratified_disjoint_and_seeded():
    loaded = data.load("wine", valid_fraction=0.25, test_fraction=0.25, scale="none")
    everything = np.concatenate([x for x, _ in loaded.splits().values()])
    original = data.load("wine", valid_fraction=0, scale="none")
    assert original.valid is None
    key = np.lexsort(everything.T), np.lexsort(original.train[0].T)
    assert np.array_equal(everything[key[0]], original.train[0][key[1]])
    whole = np.bincount(original.train[1])
    for part in (loaded.valid, loaded.test):
        assert np.abs(np.bincount(part[1]) - whole / 4).max() <= 1
    other = data.load("wine", valid_fraction=0.25, split_seed=1, scale="none")
    assert not np.array_equal(other.valid[0], loaded.valid[0])


def test_limits_and_text_windows(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(range(101)))
    loaded = data.load("text:a.txt", root=tmp_path, context=10)
    x, y = loaded.train
    assert x.shape == (8, 10) and np.array_equal(y, x + 1) and loaded.valid[0][0, 0] == 80
    assert (
        data.load("text:a.txt", root=tmp_path, context=10, max_valid=1).shapes["valid"][0][0] == 1
    )
    assert data.load("digits", max_train=100).shapes["train"] == ((100, 64), (100,))


def test_split_holds_out_at_least_one():
    raw = data.Raw(
        {"train": (np.zeros((5, 1)), np.zeros(5, np.int32))}, "classification", "", {}, ""
    )
    assert len(split(raw, 0.01, 0.0, 0)["valid"][1]) == 1


def test_examples_with_several_labels_are_split_at_random(tmp_path):
    path = tmp_path / "mine.npz"
    y = np.random.default_rng(0).integers(0, 2, (30, 3))
    np.savez(path, x=np.arange(90.0).reshape(30, 3), y=y)
    found = data.load({"name": f"npz:{path}"})
    assert found.train[1].shape[1:] == (3,) and len(found.train[1]) + len(found.valid[1]) <= 30


def test_numbers_whose_variance_overflows_are_refused(tmp_path):
    path = tmp_path / "mine.npz"
    x = np.full((30, 3), 1e308)
    x[::2] *= -1
    np.savez(path, x=x, y=np.arange(30) % 3)
    with pytest.raises(DataError, match=r"1e[+]308 cannot be brought to mean 0"):
        data.load({"name": f"npz:{path}"})
    assert np.isfinite(data.load({"name": f"npz:{path}", "scale": "none"}).train[0]).all()
