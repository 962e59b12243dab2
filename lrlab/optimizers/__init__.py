"""Optimizers by name: the transformation is built inside the step from traced hyper-parameters.

All that is known about a method stands on its line of `lrlab.optimizers.table`; Optax's own need
nothing else, ours have a file with `name(lr, *, hyper-parameters) -> optax.GradientTransformation`.
Weight decay, clipping, accumulation and averaging are options of every optimizer
(`lrlab.optimizers.options`). Importing this package imports no jax.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lrlab.optimizers.method import Method
from lrlab.optimizers.registry import (
    OPTIONS,
    REGISTRY,
    default_lr,
    describe,
    hyperparameters,
    method,
    names,
    own_hyperparameters,
)
from lrlab.optimizers.table import METHODS

_WITH_JAX = {
    "make": "lrlab.optimizers.build",
    "engine_optimizer": "lrlab.optimizers.build",
    "grouped": "lrlab.optimizers.groups",
    "with_multipliers": "lrlab.optimizers.groups",
    "check_multipliers": "lrlab.optimizers.groups",
    "evaluation_params": "lrlab.optimizers.states",
    "effective_lr": "lrlab.optimizers.states",
}

__all__ = [
    "METHODS", "OPTIONS", "REGISTRY", "Method", "check_multipliers", "default_lr", "describe",
    "effective_lr", "engine_optimizer", "evaluation_params", "grouped", "hyperparameters", "make",
    "method", "names", "own_hyperparameters", "with_multipliers",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _WITH_JAX:
        return getattr(importlib.import_module(_WITH_JAX[name]), name)
    raise AttributeError(f"module 'lrlab.optimizers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from lrlab.optimizers.build import engine_optimizer, make
    from lrlab.optimizers.groups import check_multipliers, grouped, with_multipliers
    from lrlab.optimizers.states import effective_lr, evaluation_params
