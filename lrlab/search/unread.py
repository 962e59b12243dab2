"""Axes that nothing reads: their lanes train alike, to the bit, and a choice among them is none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from lrlab.core.text import OWN_STEP

MIN_RATIO = 1.01
"""Factor: learning rates that are closer may well round to the same curve."""


def unread(
    hyper: Mapping[str, np.ndarray],
    seed: np.ndarray,
    moved: np.ndarray,
    curves: Sequence[np.ndarray],
    rates: Collection[str] = ("lr",),
) -> tuple[str, ...]:
    """The axes along which every curve is the same to the bit, although training moved.

    Args:
        hyper: axis -> f[n], the lanes' values in the run's dtype; those of rate 0 say nothing.
        seed: int[n].
        moved: bool[n]: something that was evaluated changed while the lane trained.
        curves: what was recorded, [T, n] each; nan where a lane did not get. The first that differ
            end the comparison, so short ones come first.
        rates: the axes that are learning rates.

    >>> lr, seed = np.array([0.1, 1.0]), np.zeros(2, int)
    >>> unread({"lr": lr}, seed, np.ones(2, bool), [np.array([[3.0, 3.0], [2.0, 2.0]])])
    ('lr',)
    >>> unread({"lr": lr}, seed, np.ones(2, bool), [np.array([[3.0, 3.0], [2.0, 1.0]])])
    ()
    """
    positive = np.ones(len(seed), bool)
    for name in rates:
        positive &= hyper[name] > 0 if name in hyper else True
    names = []
    for name, values in hyper.items():
        groups = [
            lanes
            for lanes in _groups(hyper, seed, positive, name)
            if _several(values[lanes], name in rates) and moved[lanes].any()
        ]
        if groups and all(_same(curve, lanes) for lanes in groups for curve in curves):
            names.append(name)
    return tuple(names)


def _groups(
    hyper: Mapping[str, np.ndarray], seed: np.ndarray, positive: np.ndarray, name: str
) -> Iterable[np.ndarray]:
    """Lanes that differ in one axis at most."""
    others = [values for other, values in hyper.items() if other != name]
    table = np.column_stack([*others, np.asarray(seed, np.float64)])
    _, place = np.unique(table, axis=0, return_inverse=True)
    place = place.ravel()
    for number in range(int(place.max(initial=-1)) + 1):
        yield np.flatnonzero((place == number) & positive)


def _several(values: np.ndarray, are_rates: bool) -> bool:
    if not len(values):
        return False
    low, high = float(values.min()), float(values.max())
    return high > low * MIN_RATIO if are_rates else high > low


def _same(curve: np.ndarray, lanes: np.ndarray) -> bool:
    """Whether the curves of some lanes agree wherever two of them were recorded."""
    rows = np.asarray(curve[:, lanes])
    finite = np.isfinite(rows)
    longest = rows[:, [int(finite.sum(0).argmax())]]
    both = finite & np.isfinite(longest)
    return bool((~both | (rows == longest)).all())


def sentence(low: float, high: float, method: str | None, ramp: bool = False) -> str:
    """What is said where the learning rate is not read; `method`: a registered optimizer's name,
    `OWN_STEP`, or None for a function, which was meant to read it; `ramp`: there is one run, with
    no other to compare."""
    span = f"from {low:.2g} to {high:.2g}"
    seen = (
        f"no update depends on it as it climbs {span}."
        if ramp
        else f"{span} all curves are the same to the bit."
    )
    if method == OWN_STEP:
        return (
            f"The learning rate is not used: {seen} {OWN_STEP.capitalize()} does not read "
            'hyper["lr"], the rate of the update.'
        )
    if method is not None:
        return (
            f"The learning rate does not matter: {seen} {method} has no use of one here, as where "
            "the gradient is zero."
        )
    return (
        f"The learning rate is not used: {seen} The optimizer (or the schedule) does not read "
        'hyper["lr"], the rate of the step: build the transformation with it.'
    )


def remark(axis: str, values: Sequence[str]) -> str:
    """The same of a further axis."""
    return (
        f"The curves are the same to the bit at every {axis} ({', '.join(values)}): nothing reads "
        "it, or its values come to the same."
    )
