"""Weights by seed that were exported, and runs that start from one of them."""

from __future__ import annotations

import json
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import pytest
from few import few

import lrlab
from lrlab.cli.app import run as command
from lrlab.core.errors import FieldError
from lrlab.tasks.weights import read

X = np.random.default_rng(3).standard_normal((20, 3)).astype(np.float32)


def task(**more):
    return lrlab.Task.supervised(
        model=nn.Dense(1), loss=lambda o, t, hyper: (o[:, 0] - t) ** 2 * hyper["l2"],
        train=(X, X[:, 0]), valid=(X, X[:, 0]), **more,
    )  # fmt: skip


@pytest.mark.parametrize("seeds", few([2, 1], 1))
def test_a_run_starts_from_one_seed_of_an_export(seeds, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = {"lr": [0.1], "steps": 3, "batch_size": 5, "progress": False, "seeds": seeds}
    result = lrlab.sweep(task(), axes={"l2": [1.0, 0.5]}, out="run", **options)
    assert command(["export", "run", "--params", "weights"]) == 0
    chosen = result.best().details["at"]["l2"]
    assert f", l2 {chosen:.6g}, seed" in capsys.readouterr().out
    expected = result.params(lr=0.1, l2=chosen, seed=0)
    one = task(params="weights/0").params["params"]
    jax.tree.map(np.testing.assert_array_equal, one, expected)
    if seeds == 1:
        assert set(read("weights").tree) == {"params"}
    else:
        with pytest.raises(FieldError, match=r"of several seeds.*weights/0.*there are 0, 1"):
            read("weights")
    with pytest.raises(FieldError, match="no weights of seed 7"):
        read("weights/7")
    assert command(["export", "run", "--params", "again", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["at"] == {"l2": chosen}


def test_a_configuration_may_point_into_an_export(tmp_path: Path):
    (tmp_path / "weights").mkdir()
    named = {"model": {"name": "linear"}, "data": {"name": "wine"}}
    with pytest.raises(ValueError, match="no such file"):
        lrlab.config.from_arguments(
            "sweep", task={**named, "params": str(tmp_path / "weights/0")}, lr=[0.1]
        )
    (tmp_path / "weights/_METADATA").write_text("{}")
    lrlab.config.from_arguments(
        "sweep", task={**named, "params": str(tmp_path / "weights/0")}, lr=[0.1]
    )
