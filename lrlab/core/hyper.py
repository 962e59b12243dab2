"""A lane's scalars for the functions that ask for them: those with a parameter named `hyper`."""

from __future__ import annotations

import functools
import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TypeVar

from lrlab.core.errors import FieldError

T = TypeVar("T")


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


def with_hyper(function: Callable[..., T], hyper: Mapping[str, object]) -> Callable[..., T]:
    """`function`, which gets `hyper` by keyword where it asks for it; else the very same.

    Raises:
        FieldError: from the call, where it reads a scalar that no lane has (KeyError).

    >>> with_hyper(lambda x, hyper: x * hyper["kl"], {"kl": 3})(2)
    6
    """
    if not takes_hyper(function):
        return function

    def called(*args: object) -> T:
        try:
            return function(*args, hyper=hyper)
        except KeyError as error:
            raise FieldError(
                "axes",
                f"a function of the task reads {error}, which is not there; where that is one of "
                f"the lane's scalars, give its values, as in axes={{{error}: [...]}} (there are "
                f"{', '.join(hyper) or 'none'})",
            ) from error

    return called


def any_hyper(value: T) -> Mapping[str, T]:
    """A mapping that has `value` under every name that is asked for: what functions are tried with
    before the lane axes are known.

    >>> any_hyper(0.5)["kl"]
    0.5
    """
    return defaultdict(lambda: value)
