"""Which parameters are trained, by patterns on their paths; the rest is frozen."""

from __future__ import annotations

from typing import NamedTuple

import jax

from lrlab.core.errors import FieldError
from lrlab.optimizers.groups import matches, paths
from lrlab.types import Params, PyTree


class Trainable(NamedTuple):
    """A function of parameters: a pytree like them, true for those that a pattern matches.

    `patterns` are read by `lrlab.optimizers.groups.matches`.

    >>> Trainable(("head",))({"body": 1.0, "head": 2.0})
    {'body': False, 'head': True}
    """

    patterns: tuple[str, ...]

    def __call__(self, params: Params) -> PyTree:
        """The pytree of bools."""
        every = paths(params)
        trained = set().union(*(matches(pattern, every) for pattern in self.patterns))
        return jax.tree.unflatten(jax.tree.structure(params), [path in trained for path in every])


def trainable_of(patterns: object, params: Params) -> Trainable | None:
    """`patterns`, one or several, checked against the parameters; None: all are trained.

    Raises:
        FieldError: no patterns, or one that matches no parameter; names the paths.

    >>> trainable_of("head", {"body": 1.0, "head": 2.0})
    Trainable(patterns=('head',))
    """
    if patterns is None:
        return None
    several = (patterns,) if isinstance(patterns, str) else patterns
    if not isinstance(several, (tuple, list)) or not all(isinstance(one, str) for one in several):
        raise FieldError(
            "trainable",
            f"trainable must be a pattern of parameter paths or several, got {patterns!r}",
        )
    if not several:
        raise FieldError(
            "trainable", "trainable names no parameter, so that nothing would be trained"
        )
    every = paths(params)
    for pattern in several:
        if not matches(pattern, every):
            raise FieldError(
                "trainable",
                f"trainable: {pattern!r} matches no parameter; the paths are {', '.join(every)}",
            )
    return Trainable(tuple(several))
