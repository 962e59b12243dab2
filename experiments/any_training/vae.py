"""Which learning rate does a variational autoencoder train with, and does the weight of its KL term
matter?

Hypothesis: judged by the ELBO (the weight at 1), a weight of 1 is best, and all weights like about
the same rate.
Command: python experiments/any_training/vae.py
Cost: 20 full runs' worth of 1,000 steps, 22 s of CPU.
Result: weight 1 is ahead, of 0.5 by 0.18 +- 0.2 nats, which does not tell them apart; with it
0.0094, and anything from 0.0027 to 0.021 costs at most 1 % more (2 seeds, 96 % sure). The second
half is wrong: a larger weight goes with a smaller rate (correlation -0.94).
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import lrlab


class VAE(nn.Module):
    @nn.compact
    def __call__(self, x):
        mean, spread = jnp.split(nn.Dense(16)(nn.relu(nn.Dense(128)(x))), 2, axis=-1)
        code = mean + jnp.exp(spread) * jax.random.normal(self.make_rng("sample"), mean.shape)
        return nn.Dense(64)(nn.relu(nn.Dense(128)(code))), mean, spread


def negative_elbo(outputs, x, kl=1.0):
    pixels, mean, spread = outputs
    error = optax.sigmoid_binary_cross_entropy(pixels, x).sum(-1)
    return error + kl * (jnp.exp(2 * spread) + mean**2 - 1 - 2 * spread).sum(-1) / 2


def weighted(outputs, x, hyper):
    return negative_elbo(outputs, x, hyper["kl"])


def make_task():
    x, held = (part[0] for part in lrlab.data.load("digits").splits().values())
    return lrlab.Task.supervised(
        name="vae", model=VAE(), loss=weighted, train=(x, x), valid=(held, held), rngs="sample",
        metrics={"elbo": (negative_elbo, "min")},
    )  # fmt: skip


def main() -> None:
    options = {"optimizer": "adam", "steps": 1000, "batch_size": 64, "metric": "valid_elbo"}
    print(lrlab.find(make_task(), kl=[0.25, 0.5, 1.0, 2.0], budget=20, **options))


if __name__ == "__main__":
    main()
