"""A configuration that is fine, what is wrong with others, and the axes that they come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrlab import config
from lrlab.config import ConfigError, Problem

GOOD = """\
steps = 200
seeds = 2
lr = {log = [1e-3, 1.0, 4]}

[task]
model = {name = "mlp", width = 32}
data.name = "digits"

[optimizer]
name = "momentum"
"""

MULTIPLIED = """
steps = 20
batch_size = 16
seeds = 2
lr = [0.01, 0.1]
[task]
name = "wine-mlp"
[multipliers]
readout = [0.1, 1.0]
"hidden_*/bias" = 0.5
"""


def write(folder: Path, text: str, name: str = "run.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def problems(folder: Path, text: str, *settings: str, command: str = "sweep") -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        config.load(write(folder, text), settings, command)
    return list(caught.value.problems)


def said(folder: Path, text: str, *settings: str, command: str = "sweep") -> dict[str, str]:
    return {p.field: p.message for p in problems(folder, text, *settings, command=command)}


def axes_of(experiment):
    """Name -> values of every lane axis."""
    return {axis.name: axis.values for axis in config.resolve(experiment).axes}


def rate_axes(experiment):
    axes = config.resolve(experiment).axes
    return {axis.name: axis.values for axis in axes if axis.kind == "learning_rate"}


def further_axes(experiment):
    axes = config.resolve(experiment).axes
    return {axis.name: axis.values for axis in axes if axis.kind != "learning_rate"}
