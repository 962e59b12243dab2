"""The random streams of a Linen module."""

from __future__ import annotations

import jax
import pytest

from lrlab import rng
from lrlab.models.modes import ModelError
from lrlab.models.streams import further, streams


def test_dropout_has_the_key_itself_and_others_their_own():
    key = jax.random.key(2)
    keys = streams(key, further(("sample", "dropout", "sample")))
    assert list(keys) == ["dropout", "sample"] and keys["dropout"] is key
    assert keys["sample"] == rng.key(key, "sample")


@pytest.mark.parametrize("rngs", [3, (1,), {"sample": 1}, None])
def test_other_than_names_is_refused(rngs):
    with pytest.raises(ModelError, match="must be names of random streams"):
        further(rngs)
