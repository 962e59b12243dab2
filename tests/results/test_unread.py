"""A rate, or a further axis, that nothing reads is said to be: never called "as good"."""

from __future__ import annotations

import warnings

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few

import lrlab
from lrlab.results.representable import indistinct
from lrlab.search.unread import unread

X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
SAME = "all curves are the same to the bit"
READ = 'The optimizer (or the schedule) does not read hyper["lr"]'


def deaf(hyper):
    return optax.adam(1e-2)


def task() -> lrlab.Task:
    return lrlab.Task.supervised(
        model=nn.Dense(2), loss="softmax_cross_entropy", train=(X, Y), valid=(X, Y)
    )


def sweep(**given):
    options = dict(
        lr=[1e-3, 1e-2, 0.1], optimizer="sgd", steps=6, seeds=2, schedule="constant",
        progress=False,
    )  # fmt: skip
    return lrlab.sweep(task(), **{**options, **given})


def test_a_sweep() -> None:
    answer = sweep(optimizer=deaf).best()
    assert SAME in answer.sentence and READ in answer.sentence
    assert "from 0.001 to 0.1" in answer.sentence and "does not matter" not in answer.sentence
    assert answer.details["unread"] == ["lr"] and answer.verdict == "flat"
    heard = sweep(optimizer=lambda hyper: optax.adam(hyper["lr"])).best()
    assert SAME not in heard.sentence and "unread" not in heard.details


def test_a_search() -> None:
    answer = lrlab.find(task(), optimizer=deaf, steps=6, seeds=1, budget=3, progress=False)
    assert SAME in answer.sentence and READ in answer.sentence and answer.verdict == "flat"


@pytest.mark.parametrize("kind", few(["ramp", "parallel"], 1))
def test_a_range_test(kind: str) -> None:
    given = dict(num_steps=20, seeds=1, kind=kind)
    test = lrlab.range_test(task(), optimizer=deaf, **given)
    said = SAME if kind == "parallel" else "no update depends on it as it climbs"
    assert said in test.sentence and READ in test.sentence and said in str(test)
    assert test.payload()["remark"] == test.sentence
    heard = lrlab.range_test(task(), optimizer=lambda hyper: optax.sgd(hyper["lr"]), **given)
    assert heard.remark == "" and "remark" not in heard.payload()


def test_only_a_further_axis() -> None:
    """Gradients that are never clipped."""
    answer = sweep(clip_norm=[1e6, 1e7]).best()
    assert "the same to the bit at every clip_norm (1e+06, 1e+07)" in answer.sentence
    assert answer.details["unread"] == ["clip_norm"] and SAME not in answer.sentence
    assert "unread" not in sweep(clip_norm=[1e-3, 1e7]).best().details


def test_no_false_alarm() -> None:
    dead = lrlab.Task.objective(
        name="dead", init=lambda key: jnp.ones(2), loss=lambda params, key: 1 + 0 * params.sum()
    )
    given = dict(steps=4, seeds=1, optimizer="sgd", schedule="constant", progress=False)
    for lr in ([0.0, 0.0], [0.1, 0.1], [0.0, 0.1], [1e-40, 1e-42]):
        assert "unread" not in sweep(lr=lr).best().details
    answer = lrlab.sweep(dead, lr=[0.01, 0.1], **given).best()
    assert answer.verdict == "none" and SAME not in answer.sentence


LANES = {"lr": np.array([0.1, 1.0, 0.1, 1.0]), "b": np.array([1.0, 1.0, 2.0, 2.0])}
SEEDS, MOVED = np.zeros(4, int), np.ones(4, bool)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([[3, 3, 3, 3], [2, 2, 2, 2]], ("lr", "b")),
        ([[3, 3, 3, 3], [2, 2, 1, 1]], ("lr",)),
        ([[3, 3, 3, 3], [2, 1, 2, 1]], ("b",)),
        ([[3, 3, 3, 3], [2, 1, 2, 2]], ()),
        ([[3, 3, 3, 3], [2, np.nan, 2, np.nan]], ("lr", "b")),  # cut short, equal so far
    ],
)
def test_lanes(rows, names) -> None:
    curve = np.array(rows, np.float32)
    assert unread(LANES, SEEDS, MOVED, [curve]) == names
    assert unread(LANES, SEEDS, ~MOVED, [curve]) == ()
    assert unread(LANES, np.arange(4), MOVED, [curve]) == ()


def test_one_that_diverges_alone_is_another() -> None:
    broke = np.array([[-1.0, 0.0, -1.0, 0.0]])
    curve = np.array([[3, 3, 3, 3], [2, np.nan, 2, np.nan]])
    assert unread(LANES, SEEDS, MOVED, [broke, curve]) == ("b",)


CLOSE = 0.1 * (1 + 1e-7 * np.linspace(0, 1, 28))


def test_rates_that_single_precision_cannot_tell_apart() -> None:
    held = len(np.unique(CLOSE.astype(np.float32)))
    words = f"only {held} of 28 different values of lr are different in float32"
    with pytest.warns(UserWarning, match=words) as caught:
        result = sweep(lr=CLOSE, seeds=1, steps=2)
    assert len([one for one in caught if words in str(one.message)]) == 1
    assert 'set precision = "float64"' in str(caught[0].message)
    assert words[1:] in result.best().sentence
    with pytest.warns(UserWarning, match="are different in float32"):
        narrow = lrlab.find(
            task(), lr_range=(0.1, 0.1000001), optimizer="sgd", steps=2, seeds=1, budget=2,
            progress=False,
        )  # fmt: skip
    assert "different in float32" in narrow.sentence
    with pytest.warns(UserWarning, match="are different in float32"):
        lrlab.range_test(task(), optimizer="sgd", start=0.1, end=0.1000001, num_steps=20, seeds=1)


@pytest.mark.slow
def test_rates_that_are_repeated_on_purpose_are_no_mistake() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sweep(lr=[0.1, 0.1, 0.2], seeds=1, steps=2)
        sweep(lr=CLOSE[:3], seeds=1, steps=2, precision="float64")
    assert indistinct({"lr": np.array([0.0, 1e-40, 1e-41, 0.1, 0.1])}, "float32") == []
    found = indistinct({"lr": np.array([0.1, 0.2]), "weight_decay": CLOSE[:2]}, "float32")
    assert len(found) == 1 and "values of weight_decay" in found[0]
