"""Runs that are stopped on purpose, for tests of what continues them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from lrlab import runs
from lrlab.runs.reader import read_stage
from lrlab.workflows import job

SWEEP = """
steps = 24
eval_every = 6
batch_size = 16
seeds = 2
lr = [0.05, 1e38]
task.name = "iris-linear"
optimizer.name = "momentum"
schedule.name = "constant"
plan = {tile_width = 2, segment_steps = 5}
"""
"""A sweep of four lanes, two of which diverge; five segments of five updates."""


def stopped(monkeypatch, after: int, error: type[BaseException] | None = None):
    """Ctrl-C once after so many segments (or, with `error`, an accident then)."""
    asked: list[int] = []

    def ask() -> bool:
        asked.append(1)
        if error is not None and len(asked) > after:
            raise error
        return len(asked) > after

    monkeypatch.setattr(job, "interruptible", lambda *_: contextlib.nullcontext(ask))


def written(place: Path, text: str, name: str = "c.toml") -> str:
    (place / name).write_text(text)
    return str(place / name)


def equal(one: Path, other: Path) -> None:
    assert runs.stages(one) == runs.stages(other)
    for name in runs.stages(one):
        a, b = read_stage(one, name), read_stage(other, name)
        for kind in ("axes", "history", "evaluated", "initial"):
            assert getattr(a, kind).keys() == getattr(b, kind).keys()
            for key, values in getattr(a, kind).items():
                np.testing.assert_array_equal(values, getattr(b, kind)[key], err_msg=key)
        for kind in ("outcome", "diverged_at", "steps_trained", "last_loss"):
            np.testing.assert_array_equal(getattr(a, kind), getattr(b, kind), err_msg=kind)
