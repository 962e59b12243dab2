"""Splits that are evaluated in parts: every example once, whatever the blocks."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from lrlab import engine
from lrlab.core.errors import StreamError
from lrlab.data import stream
from lrlab.engine.limits import LIMITS
from lrlab.engine.plan import make_plan
from lrlab.types import Plan

X, Y = (np.asarray(part) for part in tiny.data()["valid"])
LANES = tiny.grid([1e-3, 1e38])


def trained(valid, room: int, width: int = 2, **changes):
    whole = tiny.task()

    def part(params, state, data, key):
        losses = whole.evaluate(params, state, data, key)["loss"] * len(data[1])
        return {"loss": losses, "none": jnp.zeros(())}, {"loss": len(data[1]) * 1.0, "none": 0.0}

    problem = tiny.problem(task=whole._replace(part=part), steps=8, **changes)
    data = {"train": tiny.data()["train"], "valid": stream(valid).columns}
    plan = make_plan(problem, data, ("lr",), 2, 2, Plan(width, 2, None))
    limits = LIMITS._replace(stream_bytes=room, cast_bytes=0)
    return engine.train(
        problem, data, LANES, plan, eval_steps=[4, 8], indices=tiny.indices, limits=limits
    )


ROW = X[0].nbytes + 4
PAIRS = [(row.tolist(), int(label)) for row, label in zip(X, Y, strict=True)]


def loader():
    return ((X[first : first + 5], Y[first : first + 5]) for first in range(0, len(X), 5))


@pytest.mark.parametrize(("valid", "rows", "width"), [
    pytest.param(PAIRS, 7, 1, id="collection in parts"),
    pytest.param(loader, 1000, 2, id="loader at once"),
    pytest.param((X.astype(np.float16), Y), 7, 1, id="cast in parts"),
    pytest.param(PAIRS, 1000, 2, id="collection at once", marks=pytest.mark.slow),
    pytest.param(loader, 7, 1, id="loader in parts", marks=pytest.mark.slow),
    pytest.param(
        (X.astype(np.float16), Y), 1000, 2, id="cast at once", marks=pytest.mark.slow
    ),
])  # fmt: skip
def test_parts_add_up_to_the_whole(valid, rows, width):
    record = trained(valid, rows * ROW, width)
    data = {"train": tiny.data()["train"], "valid": (X, Y)}
    if isinstance(valid, tuple):
        data["valid"] = valid[0].astype(np.float32), Y
    problem = tiny.problem(steps=8)
    plan = make_plan(problem, data, ("lr",), 2, 2, Plan(width, 2, None))
    whole = engine.train(problem, data, LANES, plan, eval_steps=[4, 8], indices=tiny.indices)
    for mine, theirs in ((record.evaluated, whole.evaluated), (record.initial, whole.initial)):
        np.testing.assert_allclose(mine["valid_loss"], theirs["valid_loss"], rtol=1e-5, atol=1e-6)
    assert np.isnan(record.evaluated["valid_loss"][:, 2:]).all()  # they diverged
    assert (record.evaluated["valid_none"][:, :2] == 0).all()  # nothing had weight


def test_a_loader_that_fails_in_validation_says_so():
    given = []

    def source():
        given.append(1)
        yield from list(loader())[:2]
        if len(given) > 2:
            raise OSError("gone")

    with pytest.raises(
        StreamError, match="a pass of the loader, after 2 batches: it raised OSError"
    ):
        trained(source, 5 * ROW)
