"""Where does training converge, when each of two layers has its own learning rate?

Hypothesis: the boundary between learning rates that converge and those that diverge is a fractal
(Sohl-Dickstein 2024, arXiv 2402.06184): zooming in shows structure at every scale.
Command: python experiments/fractal.py [--size 256] [--window LOW HIGH LOW HIGH] [--out fractal]
Cost: 256 x 256 points in about 7 s on 2 CPU cores; any size streams at constant memory, and an
interrupted picture goes on where it stopped.
Result: blue points converged, red ones diverged; shades say how fast. The map is one lane per
point: two lane axes, one per layer, 100 full-batch steps in float64.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import lrlab

STEPS = 100
BAND = 1 << 15
"""Lanes that train between two visits to the disk."""


def image(hidden: np.ndarray, readout: np.ndarray) -> np.ndarray:
    """The value of every pair of rates, f64[len(hidden), len(readout)]; below 0: converged."""
    result = lrlab.sweep(
        lrlab.tasks.load("trainability"),
        optimizer="sgd",
        lr={"hidden": hidden, "readout": readout},
        groups={"hidden": "hidden", "readout": "readout"},
        schedule="constant",
        steps=STEPS,
        seeds=1,
        eval_every=STEPS,
        precision="float64",
        progress=False,
    )
    return values(result.history["train_loss"][..., 0])


def values(losses: np.ndarray) -> np.ndarray:
    """Minus the sum of the losses over the first where training converged (their mean over the last
    20 steps is below 1), else the sum of their inverses; losses [steps, ...]."""
    losses = np.where(np.isfinite(losses), losses, 1e6)
    v = np.minimum(losses / losses[0], 1e6)
    converged = v[-20:].mean(0) < 1
    return np.where(converged, -v.sum(0), (1 / v).sum(0))


def draw(size: int, window: tuple[float, float, float, float], store: Path) -> np.ndarray:
    """The map of `size` x `size` points over `window` (log10 of both rates), band by band."""
    from rich.progress import track

    hidden = 10 ** np.linspace(window[0], window[1], size)
    readout = 10 ** np.linspace(window[2], window[3], size)
    picture = np.full((size, size), np.nan)
    if store.exists():
        saved = np.load(store)
        if saved["window"].tolist() == list(window) and saved["picture"].shape == picture.shape:
            picture = saved["picture"]
    rows = max(1, BAND // size)
    for start in track(range(0, size, rows), description=f"{size} x {size} learning rates"):
        band = slice(start, start + rows)
        if np.isnan(picture[band]).any():
            picture[band] = image(hidden[band], readout)
            part = store.with_name(store.stem + ".part.npz")
            np.savez(part, picture=picture, window=np.asarray(window))
            part.replace(store)
    return picture


def shades(picture: np.ndarray) -> np.ndarray:
    """Values as ranks within each kind, in [-1, 1], so that every shade is used equally often."""
    shaded = np.zeros_like(picture)
    for kind, sign in ((picture < 0, -1.0), (picture >= 0, 1.0)):
        order = np.abs(picture[kind]).argsort().argsort()
        shaded[kind] = sign * (0.15 + 0.85 * order / max(1, kind.sum() - 1))
    return shaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--window", type=float, nargs=4, default=(-3.0, 6.0, -3.0, 6.0),
                        metavar=("LOW", "HIGH", "LOW", "HIGH"))  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("fractal"))
    arguments = parser.parse_args()
    store = arguments.out.with_suffix(".npz")
    picture = draw(arguments.size, tuple(arguments.window), store)

    import matplotlib.pyplot as plt

    low, high, left, right = arguments.window
    figure, ax = plt.subplots(figsize=(7, 7), layout="constrained")
    ax.imshow(shades(picture), cmap="RdBu_r", origin="lower", extent=(left, right, low, high))
    ax.set_xlabel("log10 learning rate of the readout")
    ax.set_ylabel("log10 learning rate of the hidden layer")
    share = (picture < 0).mean()
    ax.set_title(f"Training converges at {share:.0%} of {picture.size:,} pairs of learning rates")
    target = arguments.out.with_suffix(".png")
    figure.savefig(target, dpi=150)
    print(f"{share:.1%} of {picture.size:,} points converged; picture: {target}")


if __name__ == "__main__":
    main()
