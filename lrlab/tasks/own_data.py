"""What tasks with functions of one's own are given: data (any pytree of arrays [N, ...], or none),
functions, and what is better of their metrics."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

import jax

from lrlab.core.errors import FieldError
from lrlab.core.hyper import takes_hyper
from lrlab.core.records import Direction
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import JsonObject
from lrlab.data.dataset import DataError
from lrlab.data.streams import stream_of
from lrlab.tasks.arrays import as_columns, check_alike, held, streams
from lrlab.tasks.streams import described_streams, digest_of, opened
from lrlab.types import PyTree

DIRECTIONS: tuple[Direction, ...] = ("min", "max")


def check_callable(name: str, optional: bool = False, **functions: object) -> None:
    """Raises FieldError where one of a task's functions, by the argument's name, is none; None is
    taken where they are `optional`."""
    for what, function in functions.items():
        if not callable(function) and not (optional and function is None):
            raise FieldError(what, f"{name}: {what} must be a function, got {function!r}")


def check_takes(
    name: str, what: str, function: Callable[..., object], arguments: Sequence[str], scalars: bool
) -> None:
    """Whether one of a task's functions can be called with these arguments.

    Args:
        arguments: what it gets, in order; `scalars`: it may have a parameter `hyper` beside them.

    Raises:
        FieldError: it takes others; names the function, what it gets, and where it stands.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # builtins do not always say
        return
    hyper = {"hyper": None} if scalars and takes_hyper(function) else {}
    try:
        signature.bind(*arguments, **hyper)
    except TypeError as error:
        code = getattr(function, "__code__", None)
        where = "" if code is None else f" at {code.co_filename}:{code.co_firstlineno}"
        none = "" if scalars or "hyper" in arguments else "; it gets no hyper"
        raise FieldError(
            what,
            f"{name}: {what} is called with ({', '.join(arguments)}), and takes "
            f"{signature}{where}{none}",
        ) from error


def splits_of(name: str, splits: Mapping[str, object]) -> dict[str, PyTree]:
    """Splits as NumPy arrays of the task's own; those that are None are left out.

    Raises:
        DataError: no numbers, arrays of different lengths, splits that differ in parts or shapes,
            or held-out data without training data.
    """
    data = {
        split: _split(part, f"{name}, {split}")
        for split, part in opened(name, splits).items()
        if part is not None
    }
    if data and "train" not in data:
        raise DataError(f"{name}: {next(iter(data))} without train; give train too, or neither")
    if not data:
        return {}
    check_alike(name, data)
    return held(data, targets=True)


def _split(part: object, place: str) -> PyTree:
    if stream_of(part) is not None:
        return part
    if streams(part):
        raise DataError(
            f"{place}: must be arrays [N, ...] (a tuple or dict of them, too), got "
            f"{type(part).__name__}; give a data set or a loader as lrlab.data.stream(...)"
        )
    arrays = as_columns(part, None, place, masks=True, complex_too=True)
    lengths = {
        jax.tree_util.keystr(path, simple=True, separator="/"): len(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(arrays)
    }
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{path} has {length:,}" for path, length in lengths.items())
        raise DataError(f"{place}: arrays must have one length, the number of examples: {said}")
    return arrays


def described(data: Mapping[str, PyTree]) -> JsonObject:
    """Digest and shapes of every split, for the record."""
    return {
        "sha256": {split: digest_of(part) for split, part in data.items()},
        "shapes": {s: [list(a.shape) for a in jax.tree.leaves(p)] for s, p in data.items()},
        **described_streams(data),
    }


def directions_of(name: str, metrics: object) -> dict[str, Direction]:
    """What is better of each metric that is named.

    Raises:
        ValueError: not {name: "min" or "max"}.

    >>> directions_of("mine", {"auc": "max"})
    {'auc': 'max'}
    """
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping):
        raise ValueError(f'{name}: metrics must be {{name: "min" or "max"}}, got {metrics!r}')
    directions: dict[str, Direction] = {}
    for metric, direction in metrics.items():
        if direction not in DIRECTIONS or not isinstance(metric, str):
            close = did_you_mean(str(direction).lower(), DIRECTIONS, cutoff=0.4)
            raise ValueError(
                f'{name}: metric {metric!r} must be "min" or "max", got {direction!r}{close}'
            )
        directions[metric] = direction
    return directions
