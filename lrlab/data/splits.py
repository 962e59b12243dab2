"""From what a source read to train, valid and test: deterministic, stratified, scaled."""

from __future__ import annotations

import numpy as np

from lrlab.data.dataset import DataError, Raw, Split

VALID_FRACTION = 0.2
"""The default of `lrlab.data.load`."""
FAR = 2.0**40
"""How much larger than its deviation a number is far from 0."""
EPSILON = float(np.finfo(np.float64).eps)


def split(raw: Raw, valid_fraction: float, test_fraction: float, seed: int) -> dict[str, Split]:
    """The splits of `raw`: official ones as they are; what is missing is held out of `train`.

    Classes keep their shares (to within one example), by largest remainder; where an example has
    several labels, the choice is random. It comes from NumPy's frozen `RandomState(seed)`, so it is
    the same with every NumPy. Contiguous data give their end: first valid, then test.

    Raises:
        DataError: a fraction outside [0, 1), or nothing left to train on.
    """
    for name, value in (("valid_fraction", valid_fraction), ("test_fraction", test_fraction)):
        if not 0 <= value < 1:
            raise DataError(f"{name} must be at least 0 and below 1, got {value}", name)
    if isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise DataError(f"split_seed must be from 0 to 2**32 - 1, got {seed}", "split_seed")
    splits = dict(raw.splits)
    x, y = splits["train"]
    for name, value, usual in (
        ("valid", valid_fraction, VALID_FRACTION),
        ("test", test_fraction, 0),
    ):
        if name in splits and value not in (0, usual):
            raise DataError(
                f"{name}_fraction = {value} cannot be used: these data have a {name} split of "
                f"their own ({len(splits[name][1]):,} examples)",
                f"{name}_fraction",
            )
    wanted = {
        name: max(1, round(len(x) * fraction))
        for name, fraction in (("valid", valid_fraction), ("test", test_fraction))
        if fraction > 0 and name not in splits
    }
    if sum(wanted.values()) >= len(x):
        raise DataError(
            f"{len(x)} examples leave nothing to train on with valid_fraction = {valid_fraction} "
            f"and test_fraction = {test_fraction}",
            "valid_fraction",
            also="test_fraction",
        )
    if not wanted:
        return splits
    left = np.arange(len(x))
    random = np.random.RandomState(seed)
    for name in reversed(wanted):
        if raw.contiguous:
            taken = left[len(left) - wanted[name] :]
        elif raw.kind == "classification" and y.ndim == 1:
            taken = _stratified(left, y[left], wanted[name], random)
        else:
            taken = np.sort(random.permutation(left)[: wanted[name]])
        splits[name] = (x[taken], y[taken])
        left = np.setdiff1d(left, taken)
    splits["train"] = (x[left], y[left])
    return splits


def _stratified(
    rows: np.ndarray, y: np.ndarray, count: int, random: np.random.RandomState
) -> np.ndarray:
    """`count` of `rows`, each class as near its share as whole numbers allow."""
    classes, sizes = np.unique(y, return_counts=True)
    exact = sizes * (count / len(rows))
    take = np.floor(exact).astype(int)
    short = count - take.sum()
    take[np.argsort(take - exact, kind="stable")[:short]] += 1
    chosen = [
        random.permutation(rows[y == label])[:number]
        for label, number in zip(classes, take, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def scaled(splits: dict[str, Split], scale: str, kind: str) -> dict[str, Split]:
    """Inputs (and regression targets) with mean 0 and variance 1 in the training split.

    The training split's statistics serve every split. Constant columns become 0.

    Raises:
        DataError: numbers so large that their mean or variance overflows.
    """
    if scale == "none":
        return splits
    x, y = splits["train"]
    shift, spread = _statistics(x)
    result = {}
    for name, (inputs, outputs) in splits.items():
        inputs = (inputs - shift) / spread
        if kind == "regression":
            mean, std = _statistics(y)
            outputs = (outputs - mean) / std
        result[name] = (inputs, outputs)
    return result


def _statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = values.mean(axis=0), values.std(axis=0)
    if not (np.isfinite(mean).all() and np.isfinite(std).all()):
        raise DataError(
            f"numbers up to {np.abs(values).max():.3g} cannot be brought to mean 0 and variance 1: "
            'their squares overflow; scale the column before, or say scale = "none"'
        )
    # Far from 0 the sum itself is rounded: there the mean is that of the distances from a row.
    far = FAR * std < np.abs(values).max(axis=0)
    if np.any(far):
        mean = np.where(far, values[0] + (values - values[0]).mean(axis=0), mean)
        std = np.where(far, (values - values[0]).std(axis=0), std)
    # Rounding leaves a tiny spread in a constant column; dividing by it would make noise of it.
    # Whole numbers have no such rounding.
    level = np.abs(values).max(axis=0)
    whole = (values == np.floor(values)).all(axis=0)
    constant = (values == values[0]).all(axis=0) | ((std <= 64 * EPSILON * level) & ~whole)
    return np.where(constant, values[0], mean), np.where(constant, 1.0, std)


def limited(part: Split, count: int | None, name: str, seed: int, contiguous: bool) -> Split:
    """At most `count` examples of a split: a fixed random choice, or the first of contiguous data.

    Raises:
        DataError: `count` is below 1.
    """
    if count is None:
        return part
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise DataError(f"{name} must be a whole number of at least 1, got {count!r}", name)
    x, y = part
    if count >= len(x):
        return part
    rows = np.arange(count)
    if not contiguous:
        rows = np.sort(np.random.RandomState(seed).permutation(len(x))[:count])
    return x[rows], y[rows]
