"""Networks: one file per Flax architecture, and adapters for anyone's modules.

To add one: a file with `function(num_outputs, *, options...) -> flax.linen.Module` and a line in
`NAMES`. Parameters of hidden layers are named `hidden...`, those of the last layer `readout`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrlab.core import registry
from lrlab.core.registry import Registry
from lrlab.types import Model

if TYPE_CHECKING:
    from flax.linen import Module

    from lrlab.models.adapters import as_model

NAMES: dict[str, str] = {
    "linear": "lrlab.models.linear:linear",
    "mlp": "lrlab.models.mlp:mlp",
    "cnn": "lrlab.models.cnn:cnn",
    "resnet": "lrlab.models.resnet:resnet",
    "transformer": "lrlab.models.transformer:transformer",
}
"""Name -> "module:function"; the function takes `num_outputs` and options, gives a Linen module."""

REGISTRY: Registry[str] = Registry("model", NAMES, filled=1)  # num_outputs

FOR_IMAGES = ("cnn", "resnet")
"""Architectures whose inputs have rows and columns."""

__all__ = ["FOR_IMAGES", "NAMES", "REGISTRY", "as_model", "make", "module", "options"]


def make(name: str, num_outputs: int, **options: object) -> Model:
    """A registered architecture as two pure functions; equal arguments give the same functions.

    Args:
        name: a key of `NAMES`.
        num_outputs: the size of the last layer: classes, targets, or byte values.
        options: see `options(name)`.

    Raises:
        ValueError: unknown name or option, or a value that makes no network.

    >>> make("mlp", 10, width=32) == make("mlp", 10, width=32, depth=2)
    True
    """
    from lrlab.models.adapters import as_model

    return as_model(module(name, num_outputs, **options))


def module(name: str, num_outputs: int, **options: object) -> Module:
    """The Linen module behind `make`, for scripts that train by hand.

    >>> type(module("mlp", 10, width=32)).__name__
    'Mlp'
    """
    accepted = registry.parameters(REGISTRY, name)
    for key in options:
        if key not in accepted:
            raise registry.unknown_option(REGISTRY, name, key)
    if isinstance(num_outputs, bool) or not isinstance(num_outputs, int) or num_outputs < 1:
        raise ValueError(f"num_outputs must be a whole number of at least 1, got {num_outputs!r}")
    return registry.load(REGISTRY, name)(num_outputs, **options)


def options(name: str) -> dict[str, object]:
    """The options of an architecture and their defaults.

    >>> options("linear")
    {'bias': True, 'init': 'lecun_normal'}
    """
    return registry.defaults(REGISTRY, name)


def __getattr__(name: str) -> Any:
    if name == "as_model":
        from lrlab.models.adapters import as_model

        return as_model
    raise AttributeError(f"module 'lrlab.models' has no attribute {name!r}")
