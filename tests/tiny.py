"""Small problems in plain JAX for the engine's tests: nothing of lrlab above the engine is used."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from lrlab import engine
from lrlab.core.records import LaneRecord
from lrlab.engine.layout import evaluation_steps
from lrlab.engine.plan import make_plan
from lrlab.rng import key
from lrlab.types import Lanes, Optimizer, Plan, Problem, TaskFunctions

EXAMPLES, FEATURES, CLASSES, BATCH = 96, 12, 4, 16


class Mlp(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(CLASSES)(nn.relu(nn.Dense(16)(x)))


class Cnn(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3))(x.reshape(-1, 4, 3, 1)))
        return nn.Dense(CLASSES)(x.reshape(len(x), -1))


MODELS = {"mlp": Mlp(), "cnn": Cnn()}


@functools.lru_cache
def task(name: str = "mlp") -> TaskFunctions:
    model = MODELS[name]

    def init(random_key, example):
        return model.init(random_key, example[0])["params"], {}

    def loss(params, state, batch, random_key):
        logits = model.apply({"params": params}, batch[0])
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch[1])
        return losses.mean(), (state, {"accuracy": (logits.argmax(-1) == batch[1]).mean()})

    def evaluate(params, state, data, random_key):
        return {"loss": loss(params, state, data, random_key)[0]}

    return TaskFunctions(init, loss, evaluate)


@functools.lru_cache
def data() -> dict:
    random = np.random.RandomState(0)
    x = random.randn(EXAMPLES, FEATURES).astype(np.float32)
    y = (x @ random.randn(FEATURES, CLASSES)).argmax(-1).astype(np.int32)
    return {"train": (x, y), "valid": (x[:32], y[:32])}


def indices(seed: int, first: int, count: int) -> np.ndarray:
    per_epoch = EXAMPLES // BATCH
    rows = []
    for step in range(first, first + count):
        order = np.random.RandomState(1000 * seed + step // per_epoch).permutation(EXAMPLES)
        place = step % per_epoch
        rows.append(order[place * BATCH : (place + 1) * BATCH])
    return np.stack(rows).astype(np.int32)


OPTIMIZERS = {
    "adam": Optimizer(lambda hyper: optax.adam(hyper["lr"])),
    "momentum": Optimizer(lambda hyper: optax.sgd(hyper["lr"], momentum=0.9)),
}


@functools.lru_cache
def cosine(steps: int):
    return lambda hyper, step: hyper["lr"] * optax.cosine_decay_schedule(1.0, steps)(step)


def problem(model: str = "mlp", optimizer: str = "adam", steps: int = 40, **changes) -> Problem:
    fields = dict(
        task=task(model),
        optimizer=OPTIMIZERS[optimizer],
        schedule=cosine(steps),
        steps=steps,
        batch_size=BATCH,
        num_examples=EXAMPLES,
        splits=("valid",),
    )
    return Problem(**(fields | changes))


def grid(lr, seeds=(0, 1)) -> Lanes:
    return Lanes({"lr": np.repeat(np.asarray(lr, float), len(seeds))}, np.tile(seeds, len(lr)))


def run(
    this: Problem, lanes: Lanes, width: int | None = 4, devices: int = 2, **options
) -> LaneRecord:
    per_seed = max(np.unique(lanes.seed, return_counts=True)[1])
    plan = make_plan(
        this,
        data(),
        tuple(lanes.hyper),
        int(per_seed),
        len(np.unique(lanes.seed)),
        Plan(width, devices, options.pop("segment_steps", None)),
    )
    options = {"eval_steps": evaluation_steps(this.steps, None), "indices": indices} | options
    return engine.train(this, data(), lanes, plan, **options)


def by_hand(lr: float, seed: int, model: str = "mlp", optimizer: str = "adam", steps: int = 40):
    """One lane as a researcher would write it: a jitted scan in plain JAX and Optax. f32[steps]."""
    module, (x, y) = MODELS[model], jax.tree.map(jnp.asarray, data()["train"])
    schedule = optax.cosine_decay_schedule(jnp.float32(lr), steps)
    tx = optax.adam(schedule) if optimizer == "adam" else optax.sgd(schedule, momentum=0.9)
    params = module.init(key(seed, "init"), x[:1])["params"]

    def body(carry, rows):
        params, state = carry

        def loss(params):
            logits = module.apply({"params": params}, x[rows])
            return optax.softmax_cross_entropy_with_integer_labels(logits, y[rows]).mean()

        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    carry = (params, tx.init(params))
    return np.asarray(
        jax.jit(lambda c, i: jax.lax.scan(body, c, i)[1])(carry, indices(seed, 0, steps))
    )


def same_bits(left, right) -> bool:
    return np.array_equal(np.asarray(left), np.asarray(right), equal_nan=True)
