"""The catapult's phases and recurrence (Lewkowycz et al. 2020)."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

import lrlab
from lrlab.engine.devices import prepare_devices
from lrlab.theory import catapult, catapult_phase
from lrlab.types import Array, Params
from lrlab.verify.verdict import Verdict

PRODUCTS, WIDTH, STEPS, SEEDS = (1.9, 2.1, 3.9, 4.1), 512, 50, 20
LONG = 400
"""Updates after which a run's phase is known; the recurrence is compared over `STEPS`."""


@functools.lru_cache(maxsize=4)
def two_layer(width: int = WIDTH) -> lrlab.Task:
    """The paper's net on one example of target 0: loss f^2 / 2, f = u.v / sqrt(width), u, v normal.

    As a task; its parameters are {"u": f[width], "v": f[width]}.
    """

    def init(key: Array) -> Params:
        first, second = jax.random.split(key)
        return {"u": jax.random.normal(first, (width,)), "v": jax.random.normal(second, (width,))}

    def loss(params: Params, key: Array) -> Array:
        return 0.5 * jnp.sum(params["u"] * params["v"]) ** 2 / width

    return lrlab.Task.objective("catapult", init, loss)


def start(seed: int, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray]:
    """The weights u, v f64[width] that a seed's lanes start from."""
    prepare_devices()
    with jax.enable_x64(True):
        params, _ = two_layer(width).functions.init(lrlab.rng.key(seed, "init"), None)
        return np.asarray(params["u"]), np.asarray(params["v"])


def trained(rates: np.ndarray, steps: int = LONG) -> np.ndarray:
    """|f| before each update, f64[steps, products, seeds], of lrlab's lanes.

    `rates`: f64[products, seeds]. Each seed has its own curvature, so each has its own learning
    rates: the diagonal of a sweep.
    """
    result = lrlab.sweep(
        two_layer(),
        optimizer="sgd",
        lr=rates.ravel(),
        seeds=rates.shape[1],
        steps=steps,
        schedule="constant",
        eval_every=steps,
        precision="float64",
        stop_diverged=False,
        progress=False,
    )
    losses = np.asarray(result.history["train_loss"]).reshape(steps, *rates.shape, -1)
    own = np.arange(rates.shape[1])
    return np.sqrt(2 * losses[:, :, own, own])


def phase(sizes: np.ndarray) -> str:
    """What a run did: diverged, or converged with its output rising first, or without that."""
    if not np.isfinite(sizes).all():
        return "divergent"
    return "catapult" if sizes.max() > 1.05 * sizes[0] else "lazy"


def case() -> Verdict:
    """Recurrence to 1e-8 of the largest output so far; the right label at four LRs, 20 seeds."""
    weights = [start(seed) for seed in range(SEEDS)]
    curvatures = np.array([(u @ u + v @ v) / WIDTH for u, v in weights])
    outputs = np.array([u @ v / np.sqrt(WIDTH) for u, v in weights])
    rates = np.array(PRODUCTS)[:, None] / curvatures
    sizes = trained(rates)
    worst, wrong, lines = 0.0, 0, {}
    for i, product in enumerate(PRODUCTS):
        for seed in range(SEEDS):
            exact, _ = catapult(outputs[seed], curvatures[seed], rates[i, seed], WIDTH, STEPS)
            short = sizes[: STEPS + 1, i, seed]
            ok = np.isfinite(short) & np.isfinite(exact) & (short < 1e150)
            kept = np.logical_and.accumulate(ok)
            largest = np.maximum.accumulate(short[kept])
            errors = np.abs(np.abs(exact[kept]) - short[kept]) / largest
            worst = max(worst, float(errors.max()))
            wrong += phase(sizes[:, i, seed]) != catapult_phase(rates[i, seed], curvatures[seed])
        shown = sizes[: STEPS + 1, i, 0]
        lines[f"LR x curvature {product}"] = [
            float(v) if np.isfinite(v) and v < 1e6 else None for v in shown
        ]
    return Verdict(
        "catapult",
        "Phases at LR x curvature 2 and 4; outputs follow the two-variable recurrence",
        {"wrong labels": 0, "recurrence error": 0.0},
        {"wrong labels": int(wrong), "recurrence error": worst},
        f"1e-8 of the largest |f| so far, {STEPS} steps; every label right: 4 LRs, {SEEDS} seeds",
        bool(wrong == 0 and worst <= 1e-8),
        source="Lewkowycz et al. 2020 (arXiv 2003.02218)",
        figure={
            "x": list(range(STEPS + 1)),
            "xlabel": "step",
            "ylabel": "|f|",
            "log": "y",
            "lines": lines,
        },
    )
