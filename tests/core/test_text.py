"""Counts in sentences: the singular where there is one."""

from __future__ import annotations

import lrlab


def test_one_seed_is_no_seeds():
    options = {"optimizer": "sgd", "steps": 1, "batch_size": 16, "progress": False}
    result = lrlab.sweep("wine-linear", lr=[0.01, 0.1], seeds=1, **options)
    assert repr(result).startswith("Result(wine-linear: 2 lr x 1 seed, 1 step;")
    test = lrlab.range_test("wine-linear", optimizer="sgd", num_steps=5, seeds=1, progress=False)
    assert "1 seed" in repr(test) and "1 seeds" not in f"{test!r} {test}"
    lrs = lrlab.log_grid(1e-3, 1e4, 15)
    options |= {"steps": 40}
    assert "(1 seed, " in lrlab.sweep("wine-linear", lr=lrs, seeds=1, **options).best().sentence
