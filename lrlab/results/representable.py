"""Values of a lane axis that the dtype of the run does not hold, or cannot tell apart."""

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
    info, notes = np.finfo(np.float32), []
    for name, values in axes.items():
        size = np.abs(np.asarray(values, np.float64))
        within = (size >= info.tiny) & (size <= info.max)
        wanted = np.unique(np.asarray(values, np.float64)[within])
        held = np.unique(wanted.astype(np.float32))
        if len(held) < len(wanted):
            notes.append(
                f"only {len(held)} of {len(wanted)} different values of {name} are different in "
                'float32, and the others train alike: set precision = "float64"'
            )
    return notes


def warn_indistinct(axes: Mapping[str, np.ndarray], dtype: str) -> None:
    """The same as warnings."""
    for text in indistinct(axes, dtype):
        warnings.warn(text, UserWarning, stacklevel=4)


def as_sentences(texts: Sequence[str]) -> list[str]:
    """For the end of an answer's sentence."""
    return [f"{text[0].upper()}{text[1:]}." for text in texts]


def beyond_numbers(lr: np.ndarray, dtype: np.dtype) -> list[str]:
    """What is to be said of learning rates that `dtype` has no ordinary number for.

    >>> beyond_numbers(np.array([0.0, 1e-40, 0.1, 1e39]), np.dtype("float32"))
    ['1e-40 is too small for float32 (below 1.2e-38) and trains as 0.', \
'1e+39 is too large for float32 (above 3.4e+38) and trains as infinity.']
    """
    info, notes = np.finfo(dtype), []
    small = lr[(lr > 0) & (lr < info.tiny)]
    large = lr[lr > info.max]
    for rates, side, end, place in (
        (small, "small", f"below {info.tiny:.2g}", "0"),
        (large, "large", f"above {info.max:.2g}", "infinity"),
    ):
        if rates.size:
            distinct = np.unique(rates)
            shown = ", ".join(f"{rate:.6g}" for rate in distinct[:4])
            more = f" and {len(distinct) - 4} more" if len(distinct) > 4 else ""
            be, train = ("is", "trains") if len(distinct) == 1 else ("are", "train")
            notes.append(
                f"{shown}{more} {be} too {side} for {info.dtype} ({end}) and {train} as {place}."
            )
    return notes
