"""Optimizers by name: what each takes and what it says. Nothing here imports jax."""

from __future__ import annotations

from lrlab.core import registry
from lrlab.core.registry import Registry
from lrlab.core.synonyms import OPTIMIZER, OPTIMIZER_NAME
from lrlab.core.text import JsonObject
from lrlab.optimizers.method import Kind, Method
from lrlab.optimizers.table import METHODS

OPTIONS: JsonObject = {
    "weight_decay": 0.0,
    "decoupled": True,
    "clip_norm": None,
    "accumulate": 1,
    "ema": None,
    "average_from": None,
    "multipliers": None,
}
"""What every optimizer takes besides its own hyper-parameters; see `lrlab.optimizers.options`."""

REGISTRY: Registry[Method] = Registry(
    "optimizer",
    METHODS,
    filled=1,
    common=OPTIONS,
    option="hyper-parameter",
    aliases={
        alias: (name, defaults)
        for name, one in METHODS.items()
        for alias, defaults in one.aliases.items()
    },
    name_words=OPTIMIZER_NAME,
    option_words=OPTIMIZER,
)
"""The functions take `lr`, and hyper-parameters by keyword."""


def names(kind: Kind | None = None) -> list[str]:
    """Every registered name, or those of one kind.

    >>> names()[:2], names("learning-rate-free")[3]
    (['sgd', 'momentum'], 'prodigy')
    """
    return [name for name, one in METHODS.items() if kind in (None, one.kind)]


def method(name: str) -> Method:
    """What is known about an optimizer, by its name or another name of it.

    Raises:
        FieldError: there is no such optimizer, at `name`.

    >>> method("mechanize").kind, method("adam").mup
    ('learning-rate-free', 'adam')
    """
    return registry.entry(REGISTRY, name)


def hyperparameters(name: str) -> JsonObject:
    """The hyper-parameters and options of an optimizer and their defaults, without importing jax.

    Those whose default is a float (or None, for `clip_norm` and `ema`) may be lane axes; bools,
    whole numbers, words and tuples shape the program.

    >>> hyperparameters("adamw")["weight_decay"], hyperparameters("momentum")["momentum"]
    (0.0001, 0.9)
    """
    return registry.defaults(REGISTRY, name)


def own_hyperparameters(name: str) -> tuple[str, ...]:
    """The hyper-parameters of the method itself, without the options that every optimizer has.

    >>> own_hyperparameters("lion")
    ('b1', 'b2', 'weight_decay')
    """
    one = method(name)
    if one.parameters is not None:
        return tuple(one.parameters)
    return tuple(registry.signature(REGISTRY, name))[REGISTRY.filled :]


def default_lr(name: str) -> float | None:
    """The learning rate that a method has unless one is given; None where one must be given. Found
    without importing jax.

    >>> default_lr("prodigy"), default_lr("schedule_free_adamw"), default_lr("adam")
    (1.0, 0.0025, None)
    """
    if method(name).parameters is not None:  # Optax's own, to which it is always given
        return None
    default = registry.signature(REGISTRY, name)["lr"].default
    return default if isinstance(default, (int, float)) else None


def describe(name: str) -> str:
    """The whole text about an optimizer: formula, units, source, example.

    >>> describe("adam").splitlines()[0]
    'Adam: steps in units of the parameters.'
    """
    text, example = registry.docstring(REGISTRY, name), method(name).example
    if example is None:
        return text
    call = [f'"{name}"', str(example.lr), *(f"{k}={v!r}" for k, v in example.options.items())]
    return (
        f"{text}\n\n>>> from lrlab.optimizers import make\n"
        ">>> from lrlab.optimizers.toy import first_update\n"
        f">>> first_update(make({', '.join(call)}))\n{list(example.update)}"
    )
