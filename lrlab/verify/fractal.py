"""Which pairs of layer learning rates train: the picture of Sohl-Dickstein 2024."""

from __future__ import annotations

import numpy as np

from lrlab.tasks.trainability import draws
from lrlab.verify.verdict import Verdict, data

POINTS = 72
"""Width x (width + 1): as many examples as parameters, as in the paper's notebook."""


def decisions(rates: np.ndarray, width: int, steps: int) -> np.ndarray:
    """bool[readout, hidden]: True where training converged.

    Full-batch gradient descent in float64 on mean (tanh(sqrt(2/w) x A) b / w - y)^2; converged: the
    losses of the last 20 steps over the first (non-finite counted as 1e6) have a mean below 1.
    """
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        given = draws(width, POINTS)

        def loss(params):
            h = jnp.tanh(given["x"] @ params[0] / np.sqrt(width) * np.sqrt(2))
            return jnp.mean((h @ params[1] / width - given["y"]) ** 2)

        def losses(lr_hidden, lr_readout):
            def step(params, _):
                value, (a, b) = jax.value_and_grad(loss)(params)
                return (params[0] - lr_hidden * a, params[1] - lr_readout * b), value

            return jax.lax.scan(step, start, None, length=steps)[1]

        start = (given["hidden"], given["readout"])
        row = jax.jit(jax.vmap(losses, in_axes=(0, None)))
        found = np.stack([np.asarray(row(jnp.asarray(rates), lr)) for lr in rates])
    found = np.where(np.isfinite(found), found, 1e6)
    return np.minimum(found / found[..., :1], 1e6)[..., -20:].mean(-1) < 1


def case() -> Verdict:
    """At least 99 % of 64 x 64 decisions as in the published picture."""
    published = data("fractal")
    rates = np.logspace(-3, 6, 512)[published["index"]]
    want = np.array([[c == "1" for c in row] for row in published["rows"]])
    found = decisions(rates, published["width"], published["steps"])
    agreement = float((found == want).mean())
    return Verdict(
        "fractal",
        "Which of 64 x 64 pairs of layer learning rates converge",
        1.0,
        agreement,
        "99 % of the decisions",
        agreement >= 0.99,
        figure={
            "image": (found.astype(int) + (found != want) * 2).tolist(),
            "xlabel": "hidden LR (1e-3 to 1e6)",
            "ylabel": "readout LR (1e-3 to 1e6)",
        },
    )
