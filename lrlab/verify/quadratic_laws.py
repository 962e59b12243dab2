"""Thresholds, best constants and rates of GD, heavy ball and Nesterov on quadratics."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lrlab
from lrlab import optimizers
from lrlab.core.text import JsonObject
from lrlab.theory import max_lr, optimal_constants, trajectory
from lrlab.types import Array, Params, PyTree
from lrlab.verify.verdict import Verdict

LOW, HIGH, STEPS = 1.0, 10.0, 8000
BETA = {"sgd": 0.0, "momentum": 0.9, "nesterov": 0.9}


def trained(method: str, lrs: list[float], momentum: float, steps: int) -> np.ndarray:
    """Losses of lrlab's own lanes on (LOW x^2 + HIGH y^2)/2 from (1, 1), f64[steps, lanes]."""

    def loss(params: Params, key: Array) -> Array:
        return 0.5 * jnp.sum(jnp.array([LOW, HIGH], params["x"].dtype) * params["x"] ** 2)

    def init(key: Array) -> Params:
        return {"x": jnp.ones(2)}

    task = lrlab.Task.objective(name="laws", init=init, loss=loss)
    result = lrlab.sweep(
        task,
        optimizer=method,
        lr=lrs,
        seeds=1,
        steps=steps,
        optimizer_args={} if method == "sgd" else {"momentum": momentum},
        schedule="constant",
        eval_every=steps,
        precision="float64",
        stop_diverged=False,
        progress=False,
    )
    return np.asarray(result.history["train_loss"])[..., 0]


def case() -> Verdict:
    """Trajectories and rates to 1e-6; growth flips between 0.999 and 1.001 of the threshold."""
    curvatures = np.array([LOW, HIGH])
    factors = [0.9, 0.999, 1.001]
    measured, published, lines, passed = {}, {}, {}, True
    for method, momentum in BETA.items():
        limit = float(max_lr(method, HIGH, momentum))
        losses = trained(method, [factor * limit for factor in factors], momentum, STEPS)
        flips = losses[-50:, 1].max() < losses[0, 1] < losses[-50:, 2].max()
        exact = trajectory(method, curvatures, 0.9 * limit, 200, momentum)[:-1]
        error = np.abs(losses[:200, 0] - 0.5 * (curvatures * exact**2).sum(1)).max() / losses[0, 0]
        best = optimal_constants(method, LOW, HIGH)
        # Both ends of the spectrum contract alike at the best constants. A double root adds a
        # factor t, which t log r + log(1 + c t) would hide, so the roots are taken from the steps.
        rate = rate_from_lanes(method, best.lr, best.momentum)
        published[method] = {"rate": best.rate, "trajectory error": 0.0, "flips": True}
        measured[method] = {"rate": rate, "trajectory error": float(error), "flips": bool(flips)}
        passed &= bool(flips) and error <= 1e-6 and abs(rate - best.rate) <= 1e-6
        keep = slice(0, STEPS, STEPS // 200)
        for column, factor in ((1, 0.999), (2, 1.001)):
            shown = losses[keep, column]
            lines[f"{method} at {factor} of its threshold"] = [
                float(v) if 1e-12 < v < 1e12 else None for v in shown
            ]
    return Verdict(
        "quadratic-laws",
        "Stability thresholds, trajectories and best rates of GD, heavy ball and Nesterov",
        published,
        measured,
        "1e-6; decay flips to growth between 0.999 and 1.001 of the threshold",
        bool(passed),
        source="Polyak 1964; Lessard, Recht and Packard 2016 (arXiv 1408.3595)",
        figure={
            "x": list(range(0, STEPS, STEPS // 200)),
            "xlabel": "step",
            "ylabel": "loss",
            "log": "y",
            "lines": lines,
        },
    )


def rate_from_lanes(method: str, lr: float, momentum: float) -> float:
    """The slowest root of the two modes, read off one update of lrlab's optimizer, linear in it."""
    arguments: JsonObject = {} if method == "sgd" else {"momentum": momentum}
    with jax.enable_x64(True):
        transformation = optimizers.make(method, lr, **arguments)

        def step(carry: tuple[Array, PyTree]) -> tuple[Array, PyTree]:
            x, state = carry
            updates, state = transformation.update(h * x, state, x)
            return x + updates, state

        slowest = 0.0
        for h in (LOW, HIGH):
            x = jnp.ones(())
            jacobian = jax.jacobian(
                lambda flat, h=h, x=x: _flat(step((flat[0], _filled(transformation, x, flat))))
            )(jnp.ones(_size(transformation, x)))
            slowest = max(slowest, float(np.abs(np.linalg.eigvals(np.asarray(jacobian))).max()))
    return slowest


def _floats(tree: PyTree) -> list[Array]:
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def _size(transformation: optax.GradientTransformation, x: Array) -> int:
    return 1 + len(_floats(transformation.init(x)))


def _filled(transformation: optax.GradientTransformation, x: Array, flat: Array) -> PyTree:
    leaves, tree = jax.tree.flatten(transformation.init(x))
    values = iter(flat[1:])
    filled = [next(values) if jnp.issubdtype(v.dtype, jnp.floating) else v for v in leaves]
    return jax.tree.unflatten(tree, filled)


def _flat(carry: tuple[Array, PyTree]) -> Array:
    return jnp.stack([carry[0], *_floats(carry[1])])
