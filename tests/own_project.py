"""A project of someone's own: modules beside a configuration that names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lrlab import config
from lrlab.workflows.dispatch import run

CODE = {
    "own_runs/tasks.py": '''\
import lrlab
import numpy as np
from flax import linen as nn
from own_runs.numbers import inputs


def make_task(width=3, shift=0.0):
    x = inputs(width)
    y = x.sum(1, keepdims=True) + shift
    return lrlab.Task.supervised(
        name="line", model=nn.Dense(1), loss="mse", train=(x, y), valid=(x, y))


class Net(nn.Module):
    num_outputs: int
    width: int = 4

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.num_outputs)(nn.tanh(nn.Dense(self.width)(x)))


def three():
    return 3


def makes_nothing():
    return lambda hyper: "nothing"
''',
    "own_runs/numbers.py": '''\
import numpy as np


def inputs(width):
    return np.random.RandomState(0).randn(32, width).astype(np.float32)
''',
    "own_runs/methods.py": '''\
import optax


def clipped(hyper, clip=1.0):
    return optax.chain(optax.clip_by_global_norm(clip), optax.sgd(hyper["lr"]))


def decay(step, steps, power=1.0):
    return (1 - step / steps) ** power


def made(power=1.0, steps=1):
    return lambda step: decay(step, steps, power)


def injected(momentum):
    return optax.inject_hyperparams(optax.sgd)(learning_rate=1.0, momentum=momentum)
''',
}  # fmt: skip

CONFIG = """\
steps = 12
batch_size = 8
seeds = 2
lr = [0.02, 0.1]
plan = {tile_width = 2, segment_steps = 3}
[task]
python = "own_runs.tasks:make_task"
options = {width = 2}
[optimizer]
python = "own_runs.methods:clipped"
options = {clip = 0.5}
[schedule]
python = "own_runs.methods:decay"
options = {power = 2.0}
"""


def written(folder: Path) -> Path:
    """The project in a folder."""
    for name, text in CODE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "a.toml").write_text(CONFIG)
    return folder


def experiment(project: Path, *settings: str, command: str = "sweep") -> config.Experiment:
    return config.load(project / "a.toml", settings, command=command)


def train(project: Path, *settings: str, command: str = "sweep", out: str = "run") -> Any:
    one = experiment(project, *settings, command=command)
    return run(command, one, out=project / out, progress=False).value


def changed(project: Path, name: str, old: str, new: str) -> None:
    file = project / "own_runs" / f"{name}.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
