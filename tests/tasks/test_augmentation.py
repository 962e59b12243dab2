"""What an augmentation makes of a batch, by shapes."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx

import lrlab
from lrlab.core.errors import FieldError
from lrlab.tasks.augmentation import augmented

BATCH = {"x": jax.ShapeDtypeStruct((7, 4), "float32"), "y": jax.ShapeDtypeStruct((7,), "int32")}


def test_shapes_may_change_and_hyper_be_read():
    def crop(batch, key, hyper):
        return {**batch, "x": batch["x"][:, :3] * hyper["scale"]}

    assert augmented("mine", crop, BATCH)["x"].shape == (7, 3)


@pytest.mark.parametrize(
    ("augment", "words"),
    [
        (3, "must be a function"),
        (lambda batch: batch, r"fails on a batch.*\(batch, key\) -> batch"),
        (lambda batch, key: batch["z"], "KeyError"),
        (lambda batch, key: batch["x"], "a batch of other parts: it .* of the batch that it got"),
        (lambda batch, key: {**batch, "x": batch["x"][:2]}, r"batch\['x'\] \(2, 4\)"),
    ],
)
def test_what_is_wrong_is_named(augment, words):
    with pytest.raises(FieldError, match=words):
        augmented("mine", augment, BATCH)


def test_features_that_augment_changes_are_its_own():
    data = (np.ones((9, 4), np.float32), np.arange(9.0))
    with pytest.raises(ValueError, match=r"float32\[7, 3\], as augment makes them,"):
        lrlab.Task.supervised(
            model=lambda rngs: nnx.Linear(4, 1, rngs=rngs),
            loss=lambda o, t: (o[:, 0] - t) ** 2,
            train=data,
            valid=data,
            augment=lambda batch, key: (batch[0][:, :3], batch[1]),
        )
