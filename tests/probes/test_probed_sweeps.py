"""Probes in sweeps and run folders: turns, bits, resume."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from probed import supervised

import lrlab
from lrlab.core.errors import Interrupted
from lrlab.engine.step import lane_step


@pytest.mark.slow
def test_probes_change_no_bit_and_compile_no_second_training_program(monkeypatch) -> None:
    traced = []

    def counted(*args, **options):
        traced.append(1)
        return lane_step(*args, **options)

    monkeypatch.setattr("lrlab.engine.programs.lane_step", counted)
    arguments = dict(optimizer="momentum", lr=[0.01, 0.1, 1e30], seeds=2, steps=8, batch_size=8,
                     eval_every=2, progress=False)  # fmt: skip
    plain = lrlab.sweep(supervised(), **arguments)
    once = len(traced)
    few = ["gradient", "distance", {"name": "update_to_weight", "every": 4}]
    probed = lrlab.sweep(supervised(), **arguments, probes=few)
    assert len(traced) == once
    for name, values in plain.history.items():
        np.testing.assert_array_equal(values, probed.history[name])
    assert (plain.outcome == probed.outcome).all()
    assert (plain.outcome[2] == "diverged").all()
    assert np.isnan(probed.history["distance"][-1, 2]).all()
    turns = np.isfinite(probed.history["update_to_weight"][:, 0, 0])
    assert turns.tolist() == [False, True, False, True]
    assert np.isfinite(probed.history["distance"][:, :2]).all()


def test_turns_between_evaluations_and_at_the_end() -> None:
    result = lrlab.sweep(
        "rosenbrock", optimizer="sgd", lr=[1e-4], seeds=1, steps=10, eval_every=3,
        probes=[{"name": "weight_norm", "every": 4}], progress=False,
    )  # fmt: skip
    assert result.eval_steps.tolist() == [3, 6, 9, 10]
    measured = np.isfinite(result.history["weight_norm"][:, 0, 0])
    assert measured.tolist() == [False, True, True, True]  # 4, 8, the end


@pytest.mark.slow
def test_a_run_folder_keeps_them_and_resumes(tmp_path, monkeypatch) -> None:
    arguments = dict(optimizer="sgd", lr=[0.01, 0.1], seeds=1, steps=6, batch_size=8, eval_every=2,
                     probes=["gradient", {"name": "sharpness", "k": 2, "iterations": 8}],
                     progress=False)  # fmt: skip
    whole = lrlab.sweep("iris-linear", **arguments)
    stops = iter([False, False, *[True] * 9])
    with monkeypatch.context() as patch:
        patch.setattr(
            "lrlab.workflows.job.interruptible",
            lambda *_: contextlib.nullcontext(lambda: next(stops)),
        )
        with pytest.raises(Interrupted):
            lrlab.sweep("iris-linear", **arguments, out=tmp_path / "run")
    lrlab.sweep("iris-linear", **arguments, out=tmp_path / "run")
    read = lrlab.load(tmp_path / "run")
    for name in ("gradient_norm", "sharpness", "sharpness_2"):
        assert np.isfinite(whole.history[name]).all()
        np.testing.assert_array_equal(read.history[name], whole.history[name])
    assert read.dataset()["sharpness_2"].dims == ("eval_step", "lr", "seed")
    text = (tmp_path / "run" / "config.toml").read_text()
    assert 'probes = ["gradient", {name = "sharpness", k = 2, iterations = 8}]' in text
