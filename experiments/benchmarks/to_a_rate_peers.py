"""The studies of `to_a_rate.py`, as people write them: Optuna drives PyTorch, hyperoptax plain JAX.

`python to_a_rate_peers.py NAME ARRAYS ROOT TRIALS` prints the best rate so far after each trial. A
trial trains the network of configs/digits.toml with another seed, momentum 0.9, a cosine and
batches of 64 for 500 steps, and reports the validation loss at its end (at the start, where that
was less or nothing finite came).
"""

from __future__ import annotations

import importlib
import itertools
import math
import sys
from collections.abc import Callable

import numpy as np

LOW, HIGH, STEPS, BATCH, WIDTH = 1e-6, 10.0, 500, 64, 64

Train = Callable[[float, int], float]


def said(trials: list[tuple[float, float]]) -> None:
    """Prints the best rate of (rate, loss) so far."""
    print(min(trials, key=lambda trial: trial[1])[0], flush=True)


def torch_run(arrays: dict[str, np.ndarray]) -> Train:
    """(rate, seed) -> validation loss by a plain PyTorch loop."""
    torch = importlib.import_module("torch")
    nn, functional = torch.nn, torch.nn.functional
    torch.set_num_threads(1)
    x, vx = (torch.tensor(arrays[name]).float().flatten(1) for name in ("x", "vx"))
    y, vy = (torch.tensor(arrays[name]).long() for name in ("y", "vy"))

    def train(lr: float, seed: int) -> float:
        torch.manual_seed(seed)
        layers = [nn.Linear(x.shape[1], WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 10)]
        for layer in layers:
            nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        net = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        order = torch.randperm(len(x))
        for step in range(STEPS):
            place = step * BATCH % (len(x) - len(x) % BATCH)
            if place == 0:
                order = torch.randperm(len(x))
            rows = order[place : place + BATCH]
            optimizer.zero_grad()
            functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            loss = functional.cross_entropy(net(vx), vy).item()
        return min(loss, math.log(10)) if math.isfinite(loss) else math.log(10)

    return train


def jax_run(arrays: dict[str, np.ndarray]) -> Train:
    """(rate, seed) -> validation loss by one compiled scan of plain JAX."""
    jax = importlib.import_module("jax")
    optax = importlib.import_module("optax")
    jnp = jax.numpy
    x, vx = (jnp.asarray(arrays[name], jnp.float32) for name in ("x", "vx"))
    x, vx = x.reshape(len(x), -1), vx.reshape(len(vx), -1)
    y, vy = jnp.asarray(arrays["y"]), jnp.asarray(arrays["vy"])
    sizes = [x.shape[1], WIDTH, WIDTH, 10]

    def loss(params, x, y):
        for w, b in params[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = params[-1]
        return optax.softmax_cross_entropy_with_integer_labels(x @ w + b, y).mean()

    @jax.jit
    def train(lr, seed):
        key = jax.random.key(seed)
        draw = jax.nn.initializers.lecun_normal()
        params = [
            (draw(jax.random.fold_in(key, number), pair), jnp.zeros(pair[1]))
            for number, pair in enumerate(itertools.pairwise(sizes))
        ]
        optimizer = optax.sgd(optax.cosine_decay_schedule(lr, STEPS), momentum=0.9)
        per_epoch = len(x) // BATCH
        orders = jax.vmap(lambda epoch: jax.random.permutation(epoch, len(x)))(
            jax.random.split(key, -(-STEPS // per_epoch))
        )
        rows = orders[:, : per_epoch * BATCH].reshape(-1, BATCH)[:STEPS]

        def step(carry, batch):
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params, x[batch], y[batch]), state)
            return (optax.apply_updates(params, updates), state), None

        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), rows)
        value = jnp.minimum(loss(params, vx, vy), jnp.log(10.0))
        return jnp.where(jnp.isfinite(value), value, jnp.log(10.0))

    return lambda lr, seed: float(train(lr, seed))


def optuna(train: Train, root: int, count: int) -> None:
    """A study by TPE, with Optuna's own settings."""
    library = importlib.import_module("optuna")
    library.logging.set_verbosity(library.logging.ERROR)
    study = library.create_study(sampler=library.samplers.TPESampler(seed=root))
    trials: list[tuple[float, float]] = []

    def objective(trial) -> float:
        lr = trial.suggest_float("lr", LOW, HIGH, log=True)
        trials.append((lr, train(lr, 1000 * root + trial.number)))
        said(trials)
        return trials[-1][1]

    study.optimize(objective, n_trials=count)


def hyperoptax(train: Train, root: int, count: int) -> None:
    """Its Bayesian search, asked and told, over the logarithm of the rate."""
    jax = importlib.import_module("jax")
    library = importlib.import_module("hyperoptax")
    space = {"lr": library.LinearSpace(math.log10(LOW), math.log10(HIGH))}
    state, search = library.BayesianSearch.init(space, n_max=count, n_parallel=1, maximize=False)
    ask, tell = jax.jit(search.get_next_params), jax.jit(search.update_state)
    key, trials = jax.random.key(root), []
    for number in range(count):
        key, choice, update = jax.random.split(key, 3)
        params = ask(state, choice)
        lr = 10 ** float(params["lr"][0])
        trials.append((lr, train(lr, 1000 * root + number)))
        said(trials)
        state = tell(state, update, np.float32([trials[-1][1]]), params)


def main() -> None:
    name, path, root, count = sys.argv[1:]
    with np.load(path) as held:
        arrays = dict(held)
    if name == "optuna":
        optuna(torch_run(arrays), int(root), int(count))
    else:
        hyperoptax(jax_run(arrays), int(root), int(count))


if __name__ == "__main__":
    main()
