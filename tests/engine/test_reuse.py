"""What one experiment compiled serves others: they find it in the cache folder."""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import pytest

import lrlab

RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
FIRST = {"optimizer": "momentum", "schedule": "cosine", "steps": 20}


def task() -> lrlab.Task:
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(nn.tanh(nn.Dense(7)(x)))

    data = {"train": (X, Y), "valid": (X[:11], Y[:11])}
    return lrlab.Task.supervised(
        name="reuse", model=Net(), loss="softmax_cross_entropy", metrics=("accuracy",), **data
    )


@pytest.fixture
def new(tmp_path, monkeypatch):
    """Trains, and says how many programs were compiled for that."""
    monkeypatch.setenv("LRLAB_CACHE", str(tmp_path))
    lrlab.free()  # what an earlier test has loaded would not be looked for
    folder, seen = tmp_path / "compiled", set()

    def trained(**options):
        lrlab.sweep(
            task(), lr=[0.01, 0.1], seeds=1, batch_size=8, progress=False,
            plan=lrlab.Plan(tile_width=2, segment_steps=5), **{**FIRST, **options},
        )  # fmt: skip
        names = {path.name for path in folder.iterdir()} - seen
        seen.update(names)
        return len(names)

    return trained


@pytest.mark.slow
def test_programs_serve_other_experiments(new):
    assert new() == 5  # beginning, start, training, evaluation, and the orders of batches
    assert new() == 0  # another model with the same layers, another task
    assert new(optimizer="adam") == 2  # start and training
    assert new(steps=40) == 1  # training: the schedule's length
    assert new(schedule="constant") == 1
    assert new(optimizer="adam", schedule="constant") == 1
