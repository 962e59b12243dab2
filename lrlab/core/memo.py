"""Values of functions, kept as long as the functions that they are of live: computed once."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SHELF = "__lrlab_kept__"


_shelves: weakref.WeakSet[Shelf] = weakref.WeakSet()
"""Those that there are, for `forget`."""

_caches: list[Any] = []
"""What `remembered` keeps, for `forget`; one for every function that it decorates."""


class Shelf:
    """What is kept with a function, by the name of what computes it. A class because a copy of the
    function in another process begins with nothing kept: programs do not travel."""

    def __init__(self) -> None:
        self.values: dict[str, dict] = {}
        _shelves.add(self)

    def __reduce__(self) -> tuple[type[Shelf], tuple[()]]:
        return Shelf, ()


def remembered(maxsize: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """`functools.lru_cache` for values that take memory: `forget` drops them.

    >>> @remembered(8)
    ... def rows(count):
    ...     return [0.0] * count
    >>> rows(3) is rows(3)
    True
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        cache: Any = functools.lru_cache(maxsize=maxsize)(function)
        _caches.append(cache)
        return cache

    return decorate


def forget() -> None:
    """Drops everything that is kept here; it is computed again where it is asked for again."""
    for shelf in list(_shelves):
        shelf.values.clear()
    for cache in _caches:
        cache.cache_clear()


def kept_with(
    owner: Callable[..., object], maxsize: int = 64
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Remembers a function's values (of hashable arguments) on the object `owner(*args)`.

    `functools.lru_cache` would hold the arguments, and the arrays that functions among them close
    over, until others come. A value here may refer to its owner: the collector takes both. Where an
    owner can hold nothing (a method, a builtin), the last `maxsize` values are kept.

    >>> @kept_with(lambda function, number: function)
    ... def times(function, number):
    ...     return lambda x: function(x) * number
    >>> double = lambda x: x
    >>> times(double, 2) is times(double, 2)
    True
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        name = f"{function.__module__}.{function.__qualname__}"
        elsewhere = remembered(maxsize)(function)

        @functools.wraps(function)
        def recalled(*args: P.args, **none: P.kwargs) -> T:
            assert not none, "by position, so that equal arguments are equal keys"
            attributes = getattr(owner(*args), "__dict__", None)
            if not isinstance(attributes, dict):
                return elsewhere(*args, **none)
            values = attributes.setdefault(SHELF, Shelf()).values.setdefault(name, {})
            if args not in values:
                value = function(*args, **none)
                while len(values) >= maxsize:
                    values.pop(next(iter(values)))
                values[args] = value
            return values[args]

        return recalled

    return decorate


def closure_of(*functions: T) -> T:
    """The first function that closes over something, and so may live for a while only; else the
    first one."""
    closing = (one for one in functions if getattr(one, "__closure__", None))
    return next(closing, functions[0])
