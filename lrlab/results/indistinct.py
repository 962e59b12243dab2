"""Values of a lane axis that the run's numbers cannot tell apart."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np


def indistinct(axes: Mapping[str, np.ndarray], dtype: str) -> list[str]:
    """What is to be said of axes with values that are several as given and one in the run's dtype;
    values that are repeated on purpose, and those beyond the dtype's range, do not count.

    >>> close = 0.1 * (1 + 1e-9 * np.arange(4))
    >>> indistinct({"lr": close}, "float32")[0][:59]
    'only 1 of 4 different values of lr are different in float32'
    >>> indistinct({"lr": close}, "float64"), indistinct({"lr": np.full(4, 0.1)}, "float32")
    ([], [])
    """
    if dtype == "float64":
        return []
    info, found = np.finfo(np.float32), []
    for name, values in axes.items():
        size = np.abs(np.asarray(values, np.float64))
        given = np.unique(np.asarray(values, np.float64)[(size >= info.tiny) & (size <= info.max)])
        held = np.unique(given.astype(np.float32))
        if len(held) < len(given):
            found.append(
                f"only {len(held)} of {len(given)} different values of {name} are different in "
                'float32, and the others train alike: set precision = "float64"'
            )
    return found


def warn_indistinct(axes: Mapping[str, np.ndarray], dtype: str) -> None:
    """The same as warnings."""
    for text in indistinct(axes, dtype):
        warnings.warn(text, UserWarning, stacklevel=4)


def as_sentences(texts: Sequence[str]) -> list[str]:
    """For the end of an answer's sentence."""
    return [f"{text[0].upper()}{text[1:]}." for text in texts]
