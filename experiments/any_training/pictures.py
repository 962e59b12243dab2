"""The figure of the gallery: six examples, each swept once.

Command: python experiments/any_training/pictures.py [--out any_training]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import diffusion
import gan
import jax
import jax.numpy as jnp
import numpy as np
import pendulum
import reinforce
import simclr
import vae
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

import lrlab
from lrlab.core.text import number
from lrlab.report.figures.style import CATEGORIES, Theme, figure, log_axis, log_labels, use

COLORS = CATEGORIES["light"]
ADAM = {"optimizer": "adam", "seeds": 2, "progress": False}


def curves(ax: Axes, result: lrlab.Result, metric: str, axis: str, title: str) -> None:
    """Final metric against the rate, a line per value of another axis."""
    for value, color, line in zip(
        result.axes[axis], COLORS, result.final[metric].mean(-1).T, strict=False
    ):
        ax.plot(result.lr, line, "o-", color=color, markersize=3, label=f"{axis} {number(value)}")
    log_axis(ax)
    ax.set(xlabel="learning rate", title=title)
    ax.legend()


def elbo(ax: Axes, out: Path, colors: Theme) -> None:
    result = lrlab.sweep(vae.make_task(), lr=lrlab.log_grid(3e-4, 0.1, 9), steps=800, batch_size=64,
                         kl=[0.25, 0.5, 1.0, 2.0], out=out, **ADAM)  # fmt: skip
    curves(ax, result, "valid_elbo", "kl", "VAE on digits, by the KL term's weight")
    low = np.nanmin(result.final["valid_elbo"])
    ax.set(ylabel="negative ELBO, nats", ylim=(low - 0.5, low + 7))


def neighbors(ax: Axes, out: Path, colors: Theme) -> None:
    result = lrlab.sweep(simclr.make_task(), lr=lrlab.log_grid(1e-4, 0.3, 9), steps=400,
                         batch_size=128, temperature=[0.05, 0.2, 0.8], out=out, **ADAM)  # fmt: skip
    curves(ax, result, "valid_neighbors", "temperature", "SimCLR on digits, codes of 4 numbers")
    ax.set(ylabel="nearest neighbor is the same digit")


def sampled(params, key) -> np.ndarray:
    """Points [1000, 2] of the diffusion model: its noise is taken out step by step."""
    x = jax.random.normal(key, (1000, 2))
    before = np.append(1.0, diffusion.KEPT[:-1])
    for step in reversed(range(len(diffusion.KEPT))):
        kept, less = diffusion.KEPT[step], before[step]
        noise = diffusion.Denoiser().apply(params, x, jnp.full(1000, step))
        clean = (x - np.sqrt(1 - kept) * noise) / np.sqrt(kept)
        share = kept / less
        x = (np.sqrt(less) * (1 - share) * clean + np.sqrt(share) * (1 - less) * x) / (1 - kept)
        fresh = jax.random.normal(jax.random.fold_in(key, step), x.shape)
        x = x + np.sqrt((1 - share) * (1 - less) / (1 - kept)) * fresh
    return np.asarray(x)


def moons(ax: Axes, out: Path, colors: Theme) -> None:
    rates = [1e-4, 0.03, 1.0]
    result = lrlab.sweep(diffusion.make_task(), lr=rates, steps=2000, batch_size=128, out=out,
                         **{**ADAM, "seeds": 1})  # fmt: skip
    clouds = [("data", diffusion.make_task().data["train"][::2], "#8b949e")]
    for place, (rate, color) in enumerate(zip(rates, COLORS, strict=False)):
        points = sampled(result.params(lr=rate), jax.random.key(0))
        inside = points[(abs(points) < 2).all(1)]
        said = f"rate {number(rate)}, loss {result.final['valid_loss'][place, 0]:.2f}"
        clouds.append((said, inside, color))
    for (said, points, color), shift in zip(
        clouds, [(0, 0), (5, 0), (0, -4.6), (5, -4.6)], strict=True
    ):
        ax.plot(*(points + np.array(shift)).T, ".", color=color, markersize=1.8)
        ax.text(shift[0], shift[1] + 2.1, said, color=color, ha="center")
    ax.plot([0, 0], [-6.6, 2.5], alpha=0)  # room for the words above
    ax.set(title="Diffusion: a thousand samples")
    ax.set_aspect("equal", adjustable="datalim")
    ax.axis("off")


def rates(ax: Axes, out: Path, colors: Theme) -> None:
    grid = lrlab.log_grid(1e-4, 1e-2, 7)
    result = lrlab.sweep(gan.make_task(), lr={"gen": grid, "disc": grid}, steps=1000, seeds=2,
                         batch_size=64, progress=False, out=out,
                         metric="valid_energy_distance")  # fmt: skip
    distance = np.exp(np.log(result.final["valid_energy_distance"]).mean(-1))
    edge = grid[1] / grid[0]
    sides = np.append(grid, grid[-1] * edge) / np.sqrt(edge)
    shown = ax.pcolormesh(sides, sides, distance, cmap="viridis_r", norm=LogNorm())
    ax.plot(sides[[0, -1]], sides[[0, -1]], color=colors.paper, linewidth=1, linestyle=(0, (4, 3)))
    best = np.unravel_index(np.nanargmin(distance), distance.shape)
    ax.plot(grid[best[1]], grid[best[0]], "*", color=colors.accent, markersize=12)
    log_axis(ax), log_axis(ax, "y")
    ax.grid(visible=False)
    ax.set(
        xlabel="discriminator's rate", ylabel="generator's rate", title="GAN: a rate for each net"
    )
    bar = ax.figure.colorbar(shown, ax=ax, pad=0.015, aspect=32, format=log_labels)
    bar.outline.set_visible(False)
    bar.set_label("energy distance to the data", size=8.5)


def balance(ax: Axes, out: Path, colors: Theme) -> None:
    result = lrlab.sweep(reinforce.make_task(), lr=[1e-3, 1e-2, 0.1], steps=150,
                         metric="valid_return", out=out, **{**ADAM, "seeds": 4})  # fmt: skip
    for place, (rate, color) in enumerate(zip(result.lr, COLORS, strict=False)):
        lines = result.history["valid_return"][:, place]
        ax.plot(result.eval_steps, lines, color=color, linewidth=0.6, alpha=0.5)
        ax.plot(result.eval_steps, lines.mean(1), color=color, label=f"rate {number(rate)}")
    ax.set(xlabel="update", ylabel="steps that the pole stands", title="REINFORCE on CartPole")
    ax.legend()


def swings(ax: Axes, out: Path, colors: Theme) -> None:
    task = pendulum.make_task()
    result = lrlab.sweep(task, lr=[1e-4, 1e-3, 1e-2], steps=2000, batch_size=64, out=out,
                         **{**ADAM, "seeds": 1})  # fmt: skip
    time, angle = task.data["valid"]["time"], task.data["valid"]["angle"]
    ax.plot(time, angle, color="#c9ced6", linewidth=5, label="Runge-Kutta")
    for place, (rate, color) in enumerate(zip(result.lr, COLORS, strict=False)):
        net = jax.vmap(pendulum.angle, (None, 0))(result.params(lr=rate), jnp.asarray(time))
        error = result.final["valid_error"][place, 0]
        ax.plot(time, net, color=color, label=f"rate {number(rate)}: error {error:.1g}")
    ax.set(xlabel="time", ylabel="angle, rad", title="Pendulum, learned from its equation")
    ax.legend()


PANELS = (elbo, neighbors, moons, rates, balance, swings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("any_training"))
    arguments = parser.parse_args()
    lrlab.prepare()
    with use("light") as colors:
        picture = figure(13.6, 7.8)
        picture.get_layout_engine().set(w_pad=0.14, h_pad=0.12)
        for panel, ax in zip(PANELS, picture.subplots(2, 3).flat, strict=True):
            panel(ax, arguments.out / panel.__name__, colors)
        picture.savefig(arguments.out / "any_training.png", dpi=150)
    print(f"figure: {arguments.out}/any_training.png")


if __name__ == "__main__":
    main()
