"""Runs of stock layers: rewritten or not, continued, and with tiles that suit them."""

from __future__ import annotations

import json

import flax.linen as nn
import numpy as np
import pytest

import lrlab
from lrlab.core.errors import RunError
from lrlab.engine import binding
from lrlab.models.dense import Dense
from lrlab.runs.folder import UNSEALED
from lrlab.runs.seals import seal

X = np.random.default_rng(0).normal(size=(64, 12))


def sweep(model, width=4, rewrite=None, devices=1, **options):
    x, y = X.astype(np.float32), np.arange(64) % 3
    task = lrlab.Task.supervised(
        name="stock", model=model, loss="softmax_cross_entropy", train=(x, y), valid=(x, y)
    )
    plan = lrlab.Plan(width, devices, rewrite=rewrite)
    return lrlab.sweep(task, batch_size=32, seeds=[0], optimizer="adam", eval_every=5,
                       progress=False, plan=plan,
                       **({"steps": 20, "lr": [0.01, 0.1, 0.3, 1.0]} | options))  # fmt: skip


def stock(layer=nn.Dense):
    return nn.Sequential([layer(16), nn.relu, layer(3)])


def equal(a, b):
    return all(np.array_equal(a.history[n], b.history[n], equal_nan=True) for n in a.history)


def test_stock_layers_have_the_bits_of_our_own():
    """Not in general, but a layer that is rewritten traces what `lrlab.models.dense.Dense` does."""
    assert equal(sweep(stock()), sweep(stock(Dense)))


@pytest.mark.slow
def test_without_rewriting_the_numbers_are_the_same_to_rounding():
    with_it, without = sweep(stock()), sweep(stock(), rewrite=False)
    assert with_it.plan.rewrite is True and without.plan.rewrite is False
    for name, values in with_it.history.items():
        np.testing.assert_allclose(values, without.history[name], rtol=1e-3, atol=1e-4)


def test_lanes_alone_do_not_depend_on_it():
    assert equal(sweep(stock(), width=1), sweep(stock(), width=1, rewrite=False))


def test_a_run_from_before_continues_as_it_was(tmp_path, monkeypatch):
    """Folders without the field were trained without rewriting, and continue so."""
    whole = sweep(stock(), rewrite=False, steps=40, schedule="constant")
    with monkeypatch.context() as before:
        before.setattr(binding, "rewritten", lambda task: task)
        sweep(stock(), out=tmp_path / "run", schedule="constant")
    file = tmp_path / "run" / "run.json"
    info = json.loads(file.read_text())
    del info["plan"]["rewrite"]
    file.write_text(json.dumps(info | {"seal": seal(info, UNSEALED)}))
    longer = sweep(stock(), out=tmp_path / "run", steps=40, schedule="constant")
    assert equal(longer, whole) and longer.plan.rewrite is False


class Convolving(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(self.width, (3, 3))(x.reshape(-1, 4, 3, 1)))
        return nn.Dense(3)(x.reshape(len(x), -1))


def planned(model, lanes, rewrite=True, devices=1):
    lr = np.geomspace(0.01, 0.1, lanes)
    return sweep(model, None, rewrite, devices, lr=lr, steps=5).plan


@pytest.mark.slow
def test_large_models_with_convolutions_have_company():
    """A tile of one lane is not rewritten, and XLA's convolutions are far slower."""
    assert planned(Convolving(1500), 2).tile_width == 2
    assert planned(Convolving(1500), 1).tile_width == 1
    assert planned(Convolving(1500), 2, rewrite=False).tile_width == 1


def wide(width):
    return nn.Sequential([nn.Dense(width), nn.relu, nn.Dense(3)])


@pytest.mark.parametrize(
    ("width", "lanes", "devices", "rewrite", "tile_width"),
    [
        (5000, 4, 2, True, 2),
        (5000, 4, 2, False, 1),
        (5000, 2, 2, True, 1),  # a device for each
        (20_000, 4, 2, True, 1),  # a kernel that is left as it is, and one that is not
    ],
)
def test_large_models_of_dense_layers_have_company(width, lanes, devices, rewrite, tile_width):
    plan = planned(wide(width), lanes, rewrite, devices)
    assert plan.tile_width == tile_width


def test_another_choice_is_another_run(tmp_path):
    sweep(stock(), out=tmp_path / "run")
    with pytest.raises(RunError, match=r"another experiment"):
        sweep(stock(), rewrite=False, out=tmp_path / "run")
