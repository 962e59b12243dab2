"""Which pair of learning rates do a generator and a discriminator need?

Hypothesis: the discriminator's must be the larger one (two time scales, Heusel et al. 2017, arXiv
1706.08500).
Command: python experiments/any_training/gan.py
Cost: TODO
Result: TODO
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import lrlab

NETS = {"gen": nn.Sequential([nn.Dense(64), nn.relu, nn.Dense(64), nn.relu, nn.Dense(2)]),
        "disc": nn.Sequential([nn.Dense(64), nn.relu, nn.Dense(64), nn.relu, nn.Dense(1)])}  # fmt: skip
ADAM = optax.scale_by_adam(b1=0.5)


def init(key, hyper):
    nets = {name: net.init(key, jnp.zeros((1, 2))) for name, net in NETS.items()}
    return {name: (net, ADAM.init(net)) for name, net in nets.items()}


def loss(name, net, state, x, key):
    nets = {**{other: params for other, (params, _) in state.items()}, name: net}
    fake = NETS["gen"].apply(nets["gen"], jax.random.normal(key, (len(x), 2)))
    real, fake = (NETS["disc"].apply(nets["disc"], points) for points in (x, fake))
    return (nn.softplus(-fake) if name == "gen" else nn.softplus(-real) + nn.softplus(fake)).mean()


def step(state, x, hyper, key):
    after, values = {}, {}
    for name, (net, adam) in state.items():
        values[name], slope = jax.value_and_grad(loss, 1)(name, net, state, x, key)
        updates, adam = ADAM.update(slope, adam)
        after[name] = optax.tree.add_scale(net, -hyper["lr"][name], updates), adam
    return after, values


def evaluate(state, x, key):
    fake = NETS["gen"].apply(state["gen"][0], jax.random.normal(key, x.shape))
    far = lambda a, b: jnp.sqrt(((a[:, None] - b) ** 2).sum(-1) + 1e-12).mean()  # noqa: E731
    return {"energy_distance": 2 * far(x, fake) - far(x, x) - far(fake, fake)}


def make_task():
    random = np.random.default_rng(0)
    turn = 2 * np.pi * random.integers(0, 8, 3000) / 8
    x = np.stack([np.cos(turn), np.sin(turn)], 1) + 0.05 * random.standard_normal((3000, 2))
    return lrlab.Task.step(name="gan", init=init, step=step, evaluate=evaluate, loss="disc",
                           train=x[:2500], valid=x[2500:])  # fmt: skip


def main() -> None:
    rates = lrlab.log_grid(1e-4, 1e-2, 5)
    result = lrlab.sweep(make_task(), lr={"gen": rates, "disc": rates}, schedule="constant", seeds=2,
                         steps=1500, batch_size=64, metric="valid_energy_distance")  # fmt: skip
    print(result.best())


if __name__ == "__main__":
    main()
