"""The orders of batches come from a kept program, with the bits of the one that is not."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from lrlab.data.batches import Batches, segment_indices
from lrlab.engine import cache
from lrlab.engine.orders import kept_permutations


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
@pytest.mark.parametrize("wide", [False, True])
def test_the_same_orders(impl, wide):
    batches = Batches(37, 5)
    with jax.default_prng_impl(impl), jax.enable_x64(wide):
        mine = segment_indices(batches, 2**32 - 1, 3, 40, kept_permutations)
        plain = segment_indices(batches, 2**32 - 1, 3, 40)
    np.testing.assert_array_equal(mine, plain)
    assert mine.dtype == np.int32


def test_nothing_is_compiled_where_the_program_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("LRLAB_CACHE", str(tmp_path))
    mode = (True, "threefry2x32")
    first = kept_permutations.__wrapped__(41, mode)(np.uint32(3), np.arange(2, dtype=np.uint32))
    assert len(list((tmp_path / "compiled").iterdir())) == 1
    monkeypatch.setattr(cache, "keep_program", None)
    again = kept_permutations.__wrapped__(41, mode)(np.uint32(3), np.arange(2, dtype=np.uint32))
    np.testing.assert_array_equal(np.asarray(first), np.asarray(again))
