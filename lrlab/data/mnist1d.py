"""MNIST-1D, generated: ten digit-like signals, padded, shifted, scaled, with noise."""

from __future__ import annotations

import numpy as np

from lrlab.data.dataset import Raw

TEMPLATES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
"""One signal of 12 points per digit (Greydanus 2020, arXiv 2011.14439)."""


def mnist1d(
    samples: int = 5000,
    seed: int = 42,
    length: int = 40,
    correlated_noise: float = 0.25,
    white_noise: float = 0.02,
    shear: float = 0.75,
) -> Raw:
    """MNIST-1D: 10 classes of signals of 40 points, 5,000 samples, a fifth for validation (Greydanus
    2020, arXiv 2011.14439).

    Every sample is a template, padded by 36 to 60 zeros, scaled by 1 + 0.4 N(0,1), shifted by up to
    48 places around, with correlated noise (Gaussian filter, deviation 2 points), white noise and a
    shear, cut to `length` points by linear interpolation. The published recipe with its parameters;
    the drawn numbers are NumPy's Generator's, so the samples differ from the published files.
    """
    from scipy.ndimage import gaussian_filter1d

    random = np.random.default_rng(seed)
    y = np.arange(samples) * 10 // samples
    signals = np.empty((samples, length))
    for row, label in enumerate(y):
        template = TEMPLATES[label] - TEMPLATES[label].mean()
        peak = np.abs(template).max()
        signal = np.concatenate([template / peak * 3 / 2, np.zeros(random.integers(36, 61))])
        signal = np.interp(np.linspace(0, 1, 72), np.linspace(0, 1, len(signal)), signal)
        signal = signal * (1 + 0.4 * random.standard_normal())
        signal = np.roll(signal, random.integers(0, 49))
        noise = gaussian_filter1d(random.standard_normal(72), 2.0)
        signal = signal + correlated_noise * noise + white_noise * random.standard_normal(72)
        signal = signal + shear * random.uniform(-0.5, 0.5) * np.linspace(-0.5, 0.5, 72)
        signals[row] = np.interp(np.linspace(0, 1, length), np.linspace(0, 1, 72), signal)
    scale = signals.std()
    order = random.permutation(samples)
    x = ((signals - signals.mean()) / scale)[order]
    return Raw((x, y[order]), "classification", 10, "Apache-2.0 (generated)", "MNIST-1D, generated")
