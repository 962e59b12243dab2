"""A lane's scalars for functions of the user's: who asks for them, and which ones are read."""

from __future__ import annotations

import functools
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, cast

from lrlab.core.errors import FieldError
from lrlab.core.synonyms import did_you_mean

T = TypeVar("T")


class Reads(NamedTuple):
    """The entries of `hyper` that functions read."""

    names: set[str]


class Missing(KeyError):
    """A function reads the entry `key` of `hyper`, which there is not; or of the entry `inside` of
    `hyper`, which has the entries `others`."""

    def __init__(self, key: str, inside: str = "", others: Iterable[str] = ()) -> None:
        super().__init__(key)
        self.key, self.inside, self.others = key, inside, tuple(others)


class Recording(dict[str, Any]):
    """`hyper` that notes what is read from it. A dict, as users may pass it on as one.

    Several learning rates are a dict inside: each is noted as the lane axis that it is.

    >>> reads = Reads(set())
    >>> Recording({"lr": 0.1, "kl": 2.0}, reads)["kl"], reads.names
    (2.0, {'kl'})
    >>> Recording({"lr": {"a": 0.1, "b": 2.0}}, reads)["lr"]["b"], sorted(reads.names)
    (2.0, ['kl', 'lr', 'lr_b'])
    """

    def __init__(self, hyper: Mapping[str, Any], reads: Reads, inside: str = "") -> None:
        super().__init__(
            {
                key: Recording(value, reads, key) if isinstance(value, Mapping) else value
                for key, value in dict.items(cast(dict[str, Any], hyper))
            }
        )
        self.reads, self.inside = reads, inside

    def __getitem__(self, key: str) -> Any:
        if not super().__contains__(key):
            raise Missing(key, self.inside, dict.keys(self))
        self.reads.names.add(f"{self.inside}_{key}" if self.inside else key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The entry, or `default`."""
        return self[key] if key in self else default  # noqa: SIM401 -- this is `get`

    def pop(self, key: str, *default: Any) -> Any:
        """The entry, which is taken out."""
        value = self[key] if key in self or not default else default[0]
        return super().pop(key, value)

    def __iter__(self) -> Iterator[str]:  # makes Python ask for each entry in `dict(hyper)`
        return super().__iter__()

    def values(self) -> Any:
        """Every entry."""
        return [self[key] for key in self]

    def items(self) -> Any:
        """Every entry with its name."""
        return [(key, self[key]) for key in self]

    def copy(self) -> dict[str, Any]:
        """All entries as a plain dict."""
        return dict(self.items())

    def __or__(self, other: Any) -> dict[str, Any]:
        return self.copy() | other


def takes_hyper(function: Callable[..., object]) -> bool:
    """Whether a function has a parameter named `hyper` that nobody has given yet.

    >>> takes_hyper(lambda outputs, targets, hyper: outputs), takes_hyper(lambda o, t, h: o)
    (True, False)
    """
    if isinstance(function, functools.partial) and "hyper" in function.keywords:
        return False
    try:
        parameter = inspect.signature(function).parameters.get("hyper")
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.kind is not parameter.POSITIONAL_ONLY


def with_hyper(function: Callable[..., T], hyper: Mapping[str, Any]) -> Callable[..., T]:
    """`function`, which gets `hyper` by keyword where it asks for it; else the very same.

    Raises:
        FieldError: from the call, where it reads a scalar that no lane has.

    >>> with_hyper(lambda x, hyper: x * hyper["kl"], {"kl": 3})(2)
    6
    """
    if not takes_hyper(function):
        return function
    scalars = (
        hyper if isinstance(hyper, (Recording, defaultdict)) else Recording(hyper, Reads(set()))
    )

    def called(*args: object) -> T:
        try:
            return function(*args, hyper=scalars)
        except Missing as error:
            raise missing(error, hyper) from error

    return called


def missing(error: Missing, hyper: Mapping[str, object]) -> FieldError:
    """What is said of a scalar that no lane has."""
    key = error.key
    if error.inside:
        close = did_you_mean(key, error.others, end=".") or "."
        return FieldError(
            (error.inside, key),
            f"a function of the task reads hyper[{error.inside!r}][{key!r}], and there is no such "
            f"rate{close} There are {', '.join(error.others)}: name the rates as the task does",
        )
    close = did_you_mean(key, hyper) or "."
    return FieldError(
        ("axes", key),
        f"a function of the task reads hyper[{key!r}], which is not there{close} Where it is one "
        f"of the lane's scalars, give its values, as in axes={{{key!r}: [0.1, 1.0]}}; "
        f"there are {', '.join(hyper) or 'none'}",
    )


def any_hyper(value: T) -> Mapping[str, T]:
    """A mapping that has `value` under every name that is asked for: what functions are tried with
    before the lane axes are known.

    >>> any_hyper(0.5)["kl"]
    0.5
    """
    return defaultdict(lambda: value)
