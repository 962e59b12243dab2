"""One lane of a run again, alone: the same bits, and what the run did not record."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lrlab.cli.app import run
from lrlab.workflows.replay import replay

CONFIG = """
steps = 40
batch_size = 16
seeds = 2
lr = [0.01, 0.1, 1e6]
[task]
name = "iris-linear"
[optimizer]
name = "momentum"
weight_decay = [0.0, 0.1]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("replay")
    (place / "sweep.toml").write_text(CONFIG)
    out = place / "run"
    assert run(["sweep", str(place / "sweep.toml"), "--out", str(out), "--quiet"]) == 0
    return out


def test_a_lane_again_bit_for_bit_with_its_norms(folder) -> None:
    found = replay(folder, lr=0.1, seed=1, at={"weight_decay": 0.1}, from_step=30)
    assert found.same and "bit for bit" in found.sentence
    assert found.steps.tolist() == list(range(30, 40))
    assert found.lane == {"lr": 0.1, "weight_decay": 0.1, "seed": 1}
    for name in ("gradient_norm", "update_norm", "weight_norm", "update_to_weight"):
        assert found.series[name].shape == (10,) and (found.series[name] > 0).all()
    np.testing.assert_allclose(
        found.series["update_to_weight"],
        found.series["update_norm"] / found.series["weight_norm"],
        rtol=1e-5,
        atol=1e-8,
    )
    np.testing.assert_array_equal(found.series["train_loss"], found.stored_loss)


def test_a_lane_that_diverged_shows_how(folder) -> None:
    found = replay(folder, lr=1e6, seed=0, at={"weight_decay": 0.1})
    assert found.outcome == "diverged" and found.same
    assert found.steps[-1] == found.diverged_at
    grown = found.series["weight_norm"][np.isfinite(found.series["weight_norm"])]
    assert grown[-1] > 1e3 * grown[0]


@pytest.mark.slow
def test_probes_are_measured_at_every_update(folder) -> None:
    found = replay(folder, lr=0.1, seed=0, from_step=35, probes=["weight_norm", "gradient"])
    assert np.isfinite(found.series["gradient_curvature"]).all()


def test_what_is_not_there_is_named(folder) -> None:
    with pytest.raises(ValueError, match=r"the nearest is lr 0.1, weight_decay 0, seed 0"):
        replay(folder, lr=0.2, seed=0)
    with pytest.raises(ValueError, match="no lane axis 'momentum'"):
        replay(folder, lr=0.1, seed=0, at={"momentum": 0.9})
    with pytest.raises(ValueError, match="trained for 40 updates"):
        replay(folder, lr=0.1, seed=0, from_step=40)


def test_from_the_command_line(folder, capsys) -> None:
    capsys.readouterr()
    asked = ["replay", str(folder), "--lr", "0.1", "--seed", "1", "--from-step", "35"]
    assert run([*asked, "--json"]) == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload["same"] and len(payload["series"]["gradient_norm"]) == 5
    assert run(asked) == 0
    assert "gradient norm" in capsys.readouterr().out
    assert run([*asked, "--at", "weight_decay"]) == 2
    assert "AXIS=VALUE" in capsys.readouterr().err
