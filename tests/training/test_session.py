"""Training that runs out of memory: half the tile, on from the last commit, and said so."""

from __future__ import annotations

import contextlib
import functools
import json

import numpy as np
import pytest

import lrlab
from lrlab import engine
from lrlab.engine import memory, tuning
from lrlab.engine import plan as planning
from lrlab.engine.limits import PlanLimits
from lrlab.training import session
from lrlab.types import Plan

LR = [0.01, 0.03, 0.1, 0.3]


def failing(monkeypatch, times: int, above: int = 0):
    """`engine.train` that trains, then reports that memory ran out, `times` times."""
    real, calls = engine.train, []

    def train(*args, **options):
        calls.append(args[3].tile_width)
        if len(calls) <= times or args[3].tile_width > above > 0:
            stops = iter([False, True])
            # Two segments are trained and committed before the device is full.
            with contextlib.suppress(engine.loop.Interrupted):
                options["recorder"] and real(
                    *args, **{**options, "interrupted": lambda: next(stops)}
                )
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1099511627776 bytes.")
        return real(*args, **options)

    monkeypatch.setattr(session.engine, "train", train)
    return calls


def sweep(**options):
    return lrlab.sweep(
        lrlab.tasks.load("iris-linear"),
        optimizer="momentum",
        lr=LR,
        seeds=1,
        steps=20,
        batch_size=8,
        progress=False,
        plan=Plan(tile_width=4),
        **options,
    )


def test_half_the_tile_after_out_of_memory(monkeypatch) -> None:
    whole = sweep()
    calls = failing(monkeypatch, times=1)
    result = sweep()
    assert calls == [4, 2]
    assert result.plan.tile_width == 2
    assert "ran out of memory at 4" in result.plan.reasons[-1]
    np.testing.assert_allclose(
        result.history["train_loss"],
        whole.history["train_loss"],
        rtol=1e-4,
        atol=1e-6,
        equal_nan=True,
    )


def test_goes_on_from_the_last_commit_and_lowers_the_claim(monkeypatch, tmp_path) -> None:
    whole = sweep()
    calls = failing(monkeypatch, times=2)
    result = sweep(out=str(tmp_path / "run"))
    assert calls == [4, 2, 1]
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["claim"] == "tolerance" and info["plan"]["tile_width"] == 1
    np.testing.assert_allclose(
        result.history["train_loss"],
        whole.history["train_loss"],
        rtol=1e-4,
        atol=1e-6,
        equal_nan=True,
    )
    assert info["plan"]["tile_width_source"] == "estimated"
    stored = lrlab.load(tmp_path / "run")
    assert stored.plan.tile_width_source == "estimated"
    np.testing.assert_array_equal(stored.history["train_loss"], result.history["train_loss"])


def test_one_lane_that_does_not_fit_is_an_error_with_the_mend(monkeypatch) -> None:
    failing(monkeypatch, times=9)
    with pytest.raises(MemoryError, match="smaller batch_size or model"):
        sweep()


def test_other_errors_are_not_swallowed(monkeypatch) -> None:
    def broken(*args, **options):
        raise RuntimeError("INTERNAL: something else")

    monkeypatch.setattr(session.engine, "train", broken)
    with pytest.raises(RuntimeError, match="something else"):
        sweep()


def test_a_plan_says_where_its_tile_width_is_from(monkeypatch) -> None:
    """Only a width that was given is not timed; the words of the reasons decide nothing."""
    task = lrlab.tasks.load("quadratic")
    given = dict(optimizer="sgd", lr=LR, seeds=1, steps=20, progress=False)
    assert lrlab.sweep(task, **given).plan.tile_width_source == "estimated"
    limits = PlanLimits(worth_timing_seconds=0.0)
    monkeypatch.setattr(session, "tuned", functools.partial(tuning.tuned, limits=limits))
    monkeypatch.setattr(tuning, "_speed", lambda group, width: 2.0 if width == 2 else 1.0)
    kept: list[int] = []
    monkeypatch.setattr(tuning.cache, "remembered", lambda key: kept[-1] if kept else None)
    monkeypatch.setattr(tuning.cache, "remember", lambda key, width, speeds: kept.append(width))
    monkeypatch.setattr(planning, "prepare_devices", named(planning.prepare_devices))
    plans = [
        lrlab.sweep(task, **given, plan=plan).plan for plan in (None, None, Plan(tile_width=4))
    ]
    assert [plan.tile_width_source for plan in plans] == ["timed", "cache", "given"]
    assert [plan.tile_width for plan in plans] == [2, 2, 4]
    again = lrlab.sweep(task, **given, plan=plans[0]).plan
    assert (again.tile_width, again.tile_width_source) == (2, "given")


def named(prepare):
    """Devices whose description holds the words that reasons have for a given tile width."""
    return lambda *args: (prepare(*args)[0], "tile width 8: given by the maker of this device")


class Accelerator:
    platform, device_kind = "gpu", "made up"

    def memory_stats(self):
        return {"bytes_limit": 16 << 30}


def test_tiles_fill_an_accelerator(monkeypatch) -> None:
    assert memory.device_memory(Accelerator()) == 16 << 30
    monkeypatch.setattr(planning, "prepare_devices", lambda *args: ([Accelerator()], "made up"))
    state = np.empty(1 << 18, np.float32)  # 1 MiB
    monkeypatch.setattr(planning, "lane_shapes", lambda *args: state)
    monkeypatch.setattr(planning, "frozen_shapes", lambda *args: ())
    from lrlab.types import Problem

    problem = Problem(None, None, None, 10, 1, 1)  # type: ignore[arg-type]
    assert planning.make_plan(problem, {}, ("lr",), 10_000, 1).tile_width == 2048
    assert planning.make_plan(problem, {}, ("lr",), 100, 1).tile_width == 64


def test_a_kept_program_is_not_another_one_with_the_same_text():
    """AdamW's first state holds one empty node more than Adam's and the same arrays."""
    import jax

    from lrlab.engine.executables import _name

    device = jax.devices()[0]
    names = {
        _name(jax.jit(lambda x, tail=tail: (x, *tail)).lower(1.0), device, "x")
        for tail in ((), ((),), ((), ()))
    }
    assert len(names) == 3
