"""Data made by a formula: MNIST-1D and the Chebyshev regression of the edge of stability."""

from __future__ import annotations

import numpy as np

from lrlab.core.memo import remembered
from lrlab.data.dataset import DataError, Raw, Split, digest

TEMPLATES = """
5 6 6.5 6.75 7 7 7 7 6.75 6.5 6 5
5 3 3 3.4 3.8 4.2 4.6 5 5.4 5.8 5 5
5 6 6.5 6.5 6 5.25 4.75 4 3.5 3.5 4 5
5 6 6.5 6.5 6 5 5 6 6.5 6.5 6 5
5 4.4 3.8 3.2 2.6 2.6 5 5 5 5 5 5
5 3 3 3 3 5 6 6.5 6.5 6 4.5 5
5 4 3.5 3.25 3 3 3 3 3.25 3.5 4 5
5 7 7 6.6 6.2 5.8 5.4 5 4.6 4.2 5 5
5 4 3.5 3.5 4 5 5 4 3.5 3.5 4 5
5 4 3.5 3.5 4 5 5 5 5 4.7 4.3 5
"""
PADDING, SHIFT, LENGTH = (36, 60), 48, 40
SCALE, SHEAR, CORRELATED, WHITE = 0.4, 0.75, 0.25, 2e-2


def mnist1d(*, num_samples: int = 5000, seed: int = 42) -> Raw:
    """MNIST-1D: 4,000 + 1,000 signals of 40 numbers, 10 classes (Greydanus 2020, 2011.14439).

    Generated here by the published algorithm with its published settings and random stream, so that
    the numbers are those of the package `mnist1d`. The official test part is `valid`.
    """
    if num_samples < 20 or num_samples % 10:
        raise DataError(
            f"mnist1d: num_samples must be a multiple of 10 from 20, got {num_samples}",
            "num_samples",
        )
    train, valid = _generate(num_samples, seed)
    return Raw(
        splits={"train": train, "valid": valid},
        kind="classification",
        license="Apache-2.0 (algorithm and templates of S. Greydanus)",
        origin={"generator": "lrlab.data.synthetic", "num_samples": num_samples, "seed": seed},
        sha256=digest((*train, *valid)),
        num_classes=10,
    )


@remembered(4)
def _generate(num_samples: int, seed: int) -> tuple[Split, Split]:
    random = np.random.RandomState(seed)
    templates = np.array([row.split() for row in TEMPLATES.split("\n") if row], float)
    templates -= templates.mean(1, keepdims=True)
    templates /= templates.std(1, keepdims=True)
    templates = (templates - templates[:, :1]) / 6.0
    y = np.repeat(np.arange(10), num_samples // 10)
    x = np.stack([_signal(templates[label], random) for label in y])
    order = random.permutation(len(y))
    x, y = x[order], y[order].astype(np.int32)
    x = (x - x.mean()) / x.std()
    cut = int(len(y) * 0.8)
    for array in (x, y):
        array.setflags(write=False)
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def _signal(template: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """One noisy, padded, stretched, shifted and sheared copy; f64[40].

    The calls on `random` keep the published order: pad, scale, shift, two noises, shear.
    """
    from scipy.ndimage import gaussian_filter

    low, high = PADDING
    pad = low + int(random.rand() * (high - low + 1))
    x = np.concatenate([template + 1e-8, np.zeros(pad)])
    x = _resample(x, len(template) + high)
    x = x * (1 + SCALE * (random.rand() - 0.5))
    shift = random.choice(SHIFT)
    x = np.concatenate([x[-shift:], x[:-shift]])
    signal = x != 0
    correlated = gaussian_filter(CORRELATED * random.randn(*x.shape), 2)
    x = signal * x + (1 - signal) * correlated
    x = x + WHITE * random.randn(*x.shape)
    x = x - SHEAR * (random.rand() - 0.5) * np.linspace(-0.5, 0.5, len(x))
    return _resample(x, LENGTH)


def _resample(x: np.ndarray, count: int) -> np.ndarray:
    from scipy.interpolate import interp1d

    return interp1d(np.linspace(0, 1, len(x)), x, axis=0, kind="linear")(np.linspace(0, 1, count))


def chebyshev(*, points: int = 20, degree: int = 4) -> Raw:
    """Chebyshev polynomial of degree 4 at 20 points of [-1, 1] (Cohen et al. 2021, 2103.00065).

    The toy regression on which gradient descent reaches the edge of stability. Inputs [N, 1],
    targets [N]; `valid` is the same polynomial on 101 points.
    """
    if points < 2 or degree < 0:
        raise DataError(
            f"chebyshev: needs points >= 2 and degree >= 0, got {points} and {degree}",
            "points",
            also="degree",
        )
    polynomial = np.polynomial.chebyshev.Chebyshev.basis(degree)

    def split(count: int) -> Split:
        x = np.linspace(-1.0, 1.0, count)
        return x[:, None], polynomial(x)

    train, valid = split(points), split(101)
    return Raw(
        splits={"train": train, "valid": valid},
        kind="regression",
        license="made by a formula",
        origin={"generator": "lrlab.data.synthetic", "points": points, "degree": degree},
        sha256=digest((*train, *valid)),
    )
