"""Which pair of learning rates do a generator and a discriminator need?

Hypothesis: the discriminator's must be the larger one (two time scales, Heusel et al. 2017, arXiv
1706.08500).
Command: python experiments/any_training/gan.py
Cost: 48 full runs' worth of 1,500 steps at most, 56 s of CPU.
Result: yes, by a factor of 2.7: 0.00052 for the generator (0.0003 to 0.001) with 0.0014 for the
discriminator (0.00078 to 0.0028), each costing at most 2.9 % more in its range while the other is
held. Seeds differ as much as rates: a search of 40 runs gave 0.00089 with 0.0047.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import optax

import lrlab

# Twice this: noise -> point, and point -> the odds of "drawn by the generator" and "real".
NET = nn.Sequential([nn.Dense(64), nn.relu, nn.Dense(64), nn.relu, nn.Dense(2)])


def optimizers(lr):
    return optax.partition({k: optax.adam(r, b1=0.5) for k, r in lr.items()}, {k: k for k in lr})


def init(key, hyper):
    nets = {name: NET.init(lrlab.rng.key(key, name), jax.numpy.zeros(2)) for name in hyper["lr"]}
    return nets, optimizers(hyper["lr"]).init(nets)


def losses(nets, x, key):
    fake = NET.apply(nets["gen"], jax.random.normal(key, x.shape))
    real, fake = (nn.log_softmax(NET.apply(nets["disc"], part)).mean(0) for part in (x, fake))
    return {"gen": -fake[1], "disc": -fake[0] - real[1]}


def step(state, x, hyper, key):
    slopes = {name: slope[name] for name, slope in jax.jacrev(losses)(state[0], x, key).items()}
    updates, adams = optimizers(hyper["lr"]).update(slopes, state[1])
    return (optax.apply_updates(state[0], updates), adams), losses(state[0], x, key)


def evaluate(state, x, key):
    fake = NET.apply(state[0]["gen"], jax.random.normal(key, x.shape))
    apart = lambda a, b: jax.numpy.linalg.norm(a[:, None] - b, axis=-1).mean()  # noqa: E731
    return {"energy_distance": 2 * apart(x, fake) - apart(x, x) - apart(fake, fake)}


def make_task():
    x = jax.random.double_sided_maxwell(jax.random.key(0), 0, 1, (500, 2))  # four clouds
    return lrlab.Task.step(init=init, step=step, evaluate=evaluate, loss="disc", train=x, valid=x)


def main() -> None:
    lrlab.prepare()  # before the first use of JAX, in make_task: all cores
    rates = {"gen": [1e-4, 1e-2], "disc": [1e-4, 1e-2]}
    options = {"steps": 1500, "batch_size": 64, "metric": "valid_energy_distance"}
    print(lrlab.find(make_task(), lr=rates, **options))


if __name__ == "__main__":
    main()
