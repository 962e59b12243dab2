"""How anyone's module is called, whichever library it is of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import flax.linen as nn

from lrlab.types import Array, Hyper, Model, PyTree

if TYPE_CHECKING:
    from flax import nnx

Call = Callable[..., tuple[Array, PyTree]]
"""`(variables, x, train, key, arguments={}, watch=True) -> (outputs, variables)`; `arguments`: what
else the module is called with; `watch`: whether layers that the mode does not reach are errors."""


def is_nnx(value: object, kind: str = "Module") -> bool:
    """Whether this is an object of a class of `flax.nnx`, which is not imported for that: who has
    such an object has imported it (0.4 s, most of it for IPython, which no Linen model needs).

    >>> is_nnx(nn.Dense(3)), is_nnx(3, "State")
    (False, False)
    """
    module = sys.modules.get("flax.nnx")
    return module is not None and isinstance(value, getattr(module, kind, ()))


def call_of(module: nn.Module | nnx.Module) -> Callable[..., PyTree]:
    """A module's bound `__call__`."""
    return module.__call__  # type: ignore[attr-defined]


def hyper_argument(taken: bool, hyper: Hyper | None) -> dict[str, Any]:
    """The arguments that hand a lane's scalars to a module which takes them."""
    return {"hyper": hyper} if taken and hyper is not None else {}


def with_lane(
    init: Callable[..., PyTree], apply: Call, features: Callable[..., dict[str, Array]] | None
) -> Model:
    """A model whose functions need a lane's scalars, and say so by a parameter `hyper`."""

    def init_at(key: Array, x: Array, hyper: Hyper) -> PyTree:
        return init(key, x, hyper)

    def apply_at(
        variables: PyTree, x: Array, train: bool, key: Array, hyper: Hyper
    ) -> tuple[Array, PyTree]:
        return apply(variables, x, train, key, {"hyper": hyper})

    def features_at(variables: PyTree, x: Array, key: Array, hyper: Hyper) -> dict[str, Array]:
        assert features is not None
        return features(variables, x, key, hyper)

    return Model(init_at, apply_at, None if features is None else features_at)
