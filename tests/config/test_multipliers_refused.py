"""Multipliers in configurations: read back as they were, and refused where they make no sense."""

from __future__ import annotations

import json

import jax.numpy as jnp
import pytest
from configurations import MULTIPLIED

from lrlab import config, optimizers
from lrlab.cli.app import run


def problems(tmp_path, capsys, *settings, text=MULTIPLIED, command="sweep"):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    sets = [part for setting in settings for part in ("--set", setting)]
    assert run([command, str(path), "--out", str(tmp_path / "never"), "--json", *sets]) == 2
    assert not (tmp_path / "never").exists()
    found = json.loads(capsys.readouterr().out)["problems"]
    return {p["field"]: (p["line"], p["message"]) for p in found}


def test_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "sweep.toml"
    path.write_text(MULTIPLIED)
    wanted = ["--set", "multipliers.readout=0.5", "--set", "multipliers.'hidden_0/*'=[0.5, 2.0]",
              "--set", "multipliers.'hidden_*/bias'=1", "--json"]  # fmt: skip
    assert run(["preview", str(path), *wanted]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["axes"] == {"lr": [0.01, 0.1], "multiplier_hidden_0": [0.5, 2.0]}
    assert made["lanes"] == 8
    assert run(["preview", str(path), "--set", "multipliers={}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["axes"] == {"lr": [0.01, 0.1]}


def test_what_makes_no_sense_is_named_with_its_place(tmp_path, capsys):
    place, message = problems(tmp_path, capsys, text=MULTIPLIED.replace("readout", "raedout"))[
        "multipliers.raedout"
    ]
    assert place == 9 and "matches no parameter; the paths are hidden_0/bias, " in message
    both = problems(tmp_path, capsys, "multipliers.kernel=2.0")["multipliers.readout"][1]
    assert both.endswith("readout/kernel matches 'readout' and 'kernel'")
    place, message = problems(tmp_path, capsys, "multipliers.readout=[-1.0]")["multipliers"]
    assert "'readout': must be at least 0, got [-1.0]" in message
    assert "must be a number" in problems(tmp_path, capsys, "multipliers.readout=true")[
        "multipliers"
    ][1]  # fmt: skip
    assert "a table" in problems(tmp_path, capsys, "multipliers=3")["multipliers"][1]
    twice = problems(tmp_path, capsys, "multipliers.'readout/*'=[2.0]")
    assert "two patterns would make an axis" in twice["multipliers.readout/*"][1]
    option = problems(tmp_path, capsys, "optimizer.multipliers.readout=[2.0]")
    assert "write it in [multipliers]" in option["optimizer.multipliers.readout"][1]
    assert "already given by optimizer.multipliers" in option["multipliers"][1]
    lost = problems(tmp_path, capsys, "optimizer.name=schedule_free_sgd")
    assert "'multipliers' would be lost" in lost["multipliers"][1]
    ramp = problems(tmp_path, capsys, command="range-test")
    assert "takes one value" in ramp["multipliers.readout"][1]


def test_the_configuration_round_trips(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(MULTIPLIED)
    first = config.load(path, command="sweep")
    assert config.resolve(first).multipliers == {
        "readout": "multiplier_readout",
        "hidden_*/bias": 0.5,
    }
    axis = config.resolve(first).axes[-1]
    assert axis[:3] == ("multiplier_readout", (0.1, 1.0), "multiplier")
    path.write_text(config.dumps(first))
    assert config.load(path, command="sweep") == first
    written = config.load(path, ["multipliers.readout={log = [0.1, 1.0, 2]}"], command="sweep")
    assert config.digest(written) == config.digest(first)
    other = config.load(path, ["multipliers.'hidden_*/bias'=0.6"], command="sweep")
    none = config.load(path, ["multipliers={}"], command="sweep")
    assert len({config.digest(one) for one in (first, other, none)}) == 3


@pytest.mark.parametrize(
    "name", [name for name, one in optimizers.METHODS.items() if not one.takes_multipliers]
)
def test_optimizers_that_arrive_elsewhere_refuse(name):
    with pytest.raises(ValueError, match="'multipliers' would be lost"):
        optimizers.make(name, 0.1, multipliers={"w": 0.1})


@pytest.mark.parametrize("name", ["dog", "lookahead"])
def test_an_average_of_their_own_would_miss_them(name):
    with pytest.raises(ValueError, match="evaluates at an average of its own iterates"):
        optimizers.make(name, 0.1, multipliers={"w": 0.1}).init({"w": jnp.ones(2)})
    optimizers.make("dog", 0.1, average=False, multipliers={"w": 0.1}).init({"w": jnp.ones(2)})
