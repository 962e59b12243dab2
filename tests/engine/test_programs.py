"""The compiled programs: a lane that diverges keeps the state from before, at every tile width."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import tiny

from lrlab.engine.host_data import on_devices
from lrlab.engine.programs import compiled

DIVERGES = 1e9


def trained(width: int, count: int, lr: float, begun: tuple | None = None, segment: int = 40):
    """One tile of equal lanes after `count` updates: its state (of lane 0), its rows there."""
    device = jax.devices()[0]
    programs = compiled(tiny.problem("mlp", "momentum"), width, segment)
    data = on_devices(tiny.data(), "float32", [device])[device]
    seed, hyper = np.uint32(0), {"lr": np.full(width, lr, np.float32)}
    if begun is None:
        drawn = programs.init(device, data, seed)
        begun = programs.start(device, *drawn[:2], hyper, np.ones(width, bool), seed), 0
    state, first = begun
    rows = np.zeros((segment, tiny.BATCH), np.int32)
    rows[:count] = tiny.indices(0, first, count)
    args = (data, (), seed, hyper, rows, np.int32(first), np.int32(count))
    state, metrics = programs.train(device, state, *args)
    return state, {name: np.asarray(values)[:, 0] for name, values in metrics.items()}


def leaves(state) -> list[np.ndarray]:
    kept = (state.params, state.model, state.optimizer)
    return [np.asarray(leaf)[0] for leaf in jax.tree.leaves(kept)]


@pytest.mark.parametrize("width", [1, 2])
def test_a_diverged_lane_keeps_the_state_from_before(width):
    state, rows = trained(width, 40, DIVERGES)
    at = int(state.diverged_at[0])
    assert 1 < at < 39 and not state.alive[0]  # neither at the start nor at the end
    before, shorter = trained(width, at, DIVERGES)
    assert before.alive[0] and np.isfinite(before.last_loss[0])
    for kept, expected in zip(leaves(state), leaves(before), strict=True):
        np.testing.assert_array_equal(kept, expected)
    for name, values in rows.items():
        np.testing.assert_array_equal(values[:at], shorter[name][:at])
        assert np.isnan(values[at + 1 :]).all()


@pytest.mark.parametrize("width", [1, 2])
def test_a_lane_that_diverged_earlier_stays_as_it_is(width):
    state, _ = trained(width, 20, DIVERGES)
    kept = [leaf.copy() for leaf in leaves(state)]
    at, last = int(state.diverged_at[0]), float(state.last_loss[0])
    later, rows = trained(width, 20, DIVERGES, (state, 20))
    assert (int(later.diverged_at[0]), float(later.last_loss[0])) == (at, last)
    assert not later.alive[0] and all(np.isnan(values).all() for values in rows.values())
    for now, then in zip(leaves(later), kept, strict=True):
        np.testing.assert_array_equal(now, then)


def test_what_a_lone_lane_records_is_what_it_records_beside_others():
    alone, beside = (trained(width, 40, DIVERGES) for width in (1, 2))
    assert int(alone[0].diverged_at[0]) == int(beside[0].diverged_at[0])
    for name, values in alone[1].items():
        np.testing.assert_array_equal(np.isnan(values), np.isnan(beside[1][name]))
