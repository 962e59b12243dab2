"""A small classification task, and the engine on a task by itself."""

from __future__ import annotations

import flax.linen as nn
import jax
import numpy as np
import optax

from lrlab import engine
from lrlab.data.batches import Batches, segment_indices
from lrlab.engine.layout import evaluation_steps
from lrlab.engine.plan import make_plan
from lrlab.rng import key
from lrlab.tasks import Task
from lrlab.types import Lanes, Optimizer, Plan, Problem

SGD = Optimizer(lambda hyper: optax.sgd(hyper["lr"]))
RANDOM = np.random.RandomState(0)
X = RANDOM.randn(50, 6).astype(np.float32)
Y = (X @ RANDOM.randn(6, 3)).argmax(-1).astype(np.int32)
"""Three classes that a linear model tells apart."""

SOFTMAX = "softmax_cross_entropy"


def small_task(model=None, loss=SOFTMAX, x=X, y=Y, valid=None, **options) -> Task:
    """A Dense layer on 50 examples, or another model and data."""
    model = nn.Dense(3) if model is None else model
    valid = (x[:17], y[:17]) if valid is None else valid
    return Task.supervised(model=model, loss=loss, train=(x, y), valid=valid, **options)


def start(task, seed=0):
    """(parameters, state) before the first update."""
    example = jax.tree.map(lambda leaf: leaf[:1], task.data.get("train"))
    return task.functions.init(key(seed, "init"), example)


def train(task, lr=(0.1,), steps=20, batch=8, dtype="float32", eval_steps=None):
    """Through the engine itself, one seed."""
    examples = task.num_examples
    problem = Problem(
        task=task.functions,
        optimizer=SGD,
        schedule=lambda hyper, step: hyper["lr"],
        steps=steps,
        batch_size=batch if examples else None,
        num_examples=examples,
        splits=task.splits,
        dtype=dtype,
    )
    lanes = Lanes({"lr": np.asarray(lr, float)}, np.zeros(len(lr), np.int64))
    plan = make_plan(problem, task.data, ("lr",), len(lr), 1, Plan(tile_width=len(lr), devices=1))
    batches = Batches(examples, batch) if examples and batch else None
    return engine.train(
        problem,
        task.data,
        lanes,
        plan,
        eval_steps=eval_steps or evaluation_steps(steps, steps),
        indices=None if batches is None else lambda *place: segment_indices(batches, *place),
    )
