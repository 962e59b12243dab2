"""Which learning rate does a policy gradient (REINFORCE) need to balance a pole?

Hypothesis: policy gradients are so noisy that the interval is wide and the best rate near a cliff.
Command: python experiments/any_training/reinforce.py
Cost: 15 full runs' worth of 150 updates of 16 episodes at most, 26 s of CPU.
Result: 0.028, anything from 0.0047 to 0.16 costs at most 1 % more (2 seeds, 99 % sure): a wide
interval indeed.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

import lrlab

POLICY = nn.Sequential([nn.Dense(32), nn.tanh, nn.Dense(2), nn.log_softmax])


def moved(s, action):  # CartPole of Barto, Sutton and Anderson 1983, by Euler steps of 0.02 s
    push = (20.0 * action - 10 + 0.05 * s[3] ** 2 * jnp.sin(s[2])) / 1.1
    turn = (9.8 * jnp.sin(s[2]) - jnp.cos(s[2]) * push) / (2 / 3 - jnp.cos(s[2]) ** 2 / 22)
    return s + 0.02 * jnp.array([s[1], push - turn * jnp.cos(s[2]) / 22, s[3], turn])


def episode(params, key):
    def step(carry, key):
        s, up = carry
        action = jax.random.categorical(key, chances := POLICY.apply(params, s))
        up = up & (abs(s[0]) < 2.4) & (abs(s[2]) < 0.2095)
        return (moved(s, action), up), (chances[action], up)

    start = jax.random.normal(key, (4,)) / 30, True
    return jax.lax.scan(step, start, jax.random.split(key, 200))[1]


def loss(params, batch, key):
    chosen, up = jax.vmap(episode, (None, 0))(params, jax.random.split(key, 16))
    left = jnp.cumsum(up[:, ::-1], 1)[:, ::-1]  # steps still to come: the reward
    gain = jnp.where(up, (left - left.mean(0)) / (left.std(0) + 1), 0.0)
    return -(chosen * gain).sum(1).mean(), {"return": up.sum(1).mean()}


def make_task():
    init = lambda key, example: POLICY.init(key, jnp.zeros(4))  # noqa: E731
    return lrlab.Task.custom(name="cartpole", init=init, loss=loss, metrics={"return": "max"})


def main() -> None:
    print(lrlab.find(make_task(), optimizer="adam", steps=150, metric="valid_return", budget=15))


if __name__ == "__main__":
    main()
