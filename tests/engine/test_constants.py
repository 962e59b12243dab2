"""Arrays that functions close over: passed to programs, named where large, given back."""

from __future__ import annotations

import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.core.memo import closure_of, kept_with
from lrlab.engine.constants import LARGE_BYTES, split
from lrlab.engine.executables import Replicated

MANY = LARGE_BYTES // 4


class Held:
    """An array that says when it is gone."""

    def __init__(self, size: int) -> None:
        self.array = np.linspace(0, 1, size, dtype=np.float32)


def task_with(held: Held) -> lrlab.Task:
    def loss(params, key):
        return ((params - held.array[:3]) ** 2).sum() + 1e-3 * (held.array * params[0]).mean()

    return lrlab.Task.objective("closure", init=lambda key: jnp.ones(3), loss=loss)


def sweep(task: lrlab.Task, **options) -> lrlab.Result:
    plan = lrlab.Plan(tile_width=1)
    chosen = {"lr": [0.1, 0.2], "optimizer": "sgd", "steps": 4, "seeds": 1, "schedule": "constant"}
    return lrlab.sweep(task, **{**chosen, "plan": plan, "progress": False, **options})


def test_large_constants_are_arguments_and_numbers_the_same():
    held = Held(MANY)
    closed = jax.make_jaxpr(lambda x: x * held.array[-1] + (held.array * x).sum())(2.0)
    less, large = split(closed)
    assert len(large) == 1 and large[0].nbytes == LARGE_BYTES and not less.consts
    assert split(jax.make_jaxpr(lambda x: x + Held(9).array)(2.0))[1] == ()

    history = sweep(task_with(held)).history["train_loss"][:, 0, 0]
    params, slope = np.ones(3), 1e-3 * 0.5 * np.array([1.0, 0, 0])
    for loss in history:
        aim = held.array[:3]
        assert loss == pytest.approx(((params - aim) ** 2).sum() + slope @ params, rel=1e-5)
        params = params - 0.1 * (2 * (params - aim) + slope)


def test_programs_hold_no_copy_of_a_large_constant():
    array = np.random.default_rng(0).normal(size=MANY).astype(np.float32)
    device = jax.devices()[0]
    for donate in ((), (0,)):
        program = Replicated(lambda x: {"sum": x + (array * x).sum()}, donate=donate)
        x = jax.device_put(np.float32(3), device)
        text = program.program(device, x).as_text()
        assert text is not None and len(text) < LARGE_BYTES / 4
        expected = 3 + 3 * float(array.sum(dtype=np.float64))
        assert float(program(device, x)["sum"]) == pytest.approx(expected, rel=1e-3, abs=0.1)


def test_a_very_large_constant_is_named():
    held = Held(9 << 20)
    with pytest.warns(UserWarning, match=r"38 MB \(float32\[9437184\]\).*train = "):
        sweep(task_with(held), lr=[0.1])


def test_arrays_of_dead_tasks_are_given_back():
    alive = []
    for _ in range(4):
        held = Held(MANY)
        alive.append(weakref.ref(held))
        sweep(task_with(held))
        del held
    assert sum(ref() is not None for ref in alive) <= 2  # no collection asked for here
    gc.collect()
    assert not any(ref() is not None for ref in alive)


def test_a_repeated_sweep_compiles_nothing():
    held = Held(MANY)

    traces = []

    def loss(params, key):
        traces.append(1)
        return (held.array * params[0]).mean() ** 2 + (params**2).sum()

    def init(key):
        return jnp.ones(3)

    def task():
        return lrlab.Task.objective("counted", init=init, loss=loss)

    first = sweep(task())
    other = task()  # of the same functions
    before = len(traces)
    again = sweep(other)
    assert len(traces) == before
    np.testing.assert_array_equal(first.history["train_loss"], again.history["train_loss"])


def test_values_are_kept_as_long_as_their_owner():
    made = []

    @kept_with(lambda function, number: closure_of(function), maxsize=2)
    def pair(function, number):
        made.append(number)
        return function, number

    def closing():
        value = object()
        return lambda: value

    one = closing()
    assert pair(one, 1) is pair(one, 1) and made == [1]
    for number in (2, 3, 1):
        pair(one, number)
    assert made == [1, 2, 3, 1]  # no more than two
    ref = weakref.ref(one)
    del one
    gc.collect()
    assert ref() is None
    assert pair(len, 5) is pair(len, 5)  # a builtin holds nothing
    assert closure_of(len, closing) is len
