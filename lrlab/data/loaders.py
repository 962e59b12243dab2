"""Loaders: whatever gives batches in an order of its own, one pass after the other.

A loader is a factory, `seed -> iterable` or `(seed, epoch) -> iterable`, or an iterable itself.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from lrlab.data.dataset import DataError
from lrlab.data.trees import Tree

PACKAGE = str(Path(__file__).parents[1])


class Loader(NamedTuple):
    """`open(seed, epoch)` begins a pass. `again`: at its end the next epoch begins; else it must
    last as long as training. `shared`: all seeds read the same batches. `kind`: in words."""

    open: Callable[[int, int], Iterable[Tree]]
    again: bool
    shared: bool
    kind: str


def as_loader(source: object, place: str) -> Loader:
    """What a source is, by the parameters of a function: one is `seed -> iterable`; a second one
    without a default, or one named `epoch`, makes it `(seed, epoch) -> iterable`; none, or no
    function but something that can be iterated again, is the same for all seeds.

    Raises:
        DataError: an iterator that is used up by one pass, other parameters, or neither.

    >>> as_loader(lambda seed: iter([seed]), "train").kind
    'seed -> iterator'
    >>> as_loader(lambda seed, epoch: iter([seed]), "train").again
    True
    """
    if isinstance(source, Mapping):
        names = ", ".join(map(repr, source)) or "nothing"
        raise DataError(
            f"{place}: {type(source).__name__} holds {names}, which are no arrays; give one of its "
            "data sets, and another as valid="
        )
    iterable = hasattr(source, "__iter__")
    if iterable and iter(cast("Iterable[Tree]", source)) is source:
        raise DataError(
            f"{place}: {type(source).__name__} is an iterator, which one pass uses up; give the "
            "function that makes it: seed -> iterator, or (seed, epoch) -> iterator"
        )
    if iterable:
        again = cast("Iterable[Tree]", source)
        return Loader(lambda seed, epoch: again, True, True, type(source).__name__)
    if not callable(source):
        raise DataError(
            f"{place}: {type(source).__name__} can neither be read by number (__len__ and "
            "__getitem__), nor be iterated, nor called with a seed"
        )
    function = cast("Callable[..., Iterable[Tree]]", source)
    count = _parameters(function, place)
    if count == 0:
        return Loader(lambda seed, epoch: function(), True, True, "() -> iterator")
    if count == 1:
        return Loader(lambda seed, epoch: function(seed), False, False, "seed -> iterator")
    return Loader(function, True, False, "(seed, epoch) -> iterator")


def _parameters(function: Callable[..., object], place: str) -> int:
    """How many of (seed, epoch) a function takes."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # builtins do not always say
        return 1
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p.name for p in places if p.default is p.empty]
    required += [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(required) > 2 or len(required) > len(places):
        raise DataError(
            f"{place}: the function must take (seed) or (seed, epoch), and needs "
            f"{', '.join(required)}; bind the others with functools.partial"
        )
    if len(places) > 1 and places[1].name == "epoch":
        return 2
    if not required and places and places[0].name == "seed":
        return 1
    return len(required)


def opened(loader: Loader, seed: int, epoch: int) -> Iterator[Tree]:
    """A pass of the loader."""
    return iter(loader.open(seed, epoch))


def raised(error: BaseException) -> str:
    """What a loader raised, in its own words, and where: the last line of the user's own code."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((PACKAGE, "<"))
    ]
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    where = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    words = str(error)
    return f"{type(error).__name__}{words and ': '}{words}{where}"
