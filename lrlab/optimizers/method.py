"""What is known of one optimizer: everything that lrlab knows about a method is its `Method`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Literal, NamedTuple

Value = bool | int | float | str | tuple[float, ...] | None
"""The default of a hyper-parameter. Floats may be lane axes; the others shape the program."""

Kind = Literal["optimizer", "learning-rate-free", "controller"]
"""An optimizer that trains with the learning rate it is given; one that needs no tuned rate, or
claims so; an adaptive controller, whose step sizes follow losses, gradients or function values."""

Need = Literal["value", "grad", "value_fn"]
"""The loss, its gradient at the parameters, the loss of the same batch as a function of them."""

Family = Literal["sgd", "momentum", "nesterov", "ema", "nesterov_ema", "rmsprop", "adam"]
"""A name in `lrlab.theory.stability.FAMILIES`."""

Preconditioner = Literal[
    "adam", "adam_without_root", "adamax", "amsgrad", "radam", "rmsprop", "adagrad"
]
"""A name in `lrlab.optimizers.dynamics.PRECONDITIONERS`."""


class Quadratic(NamedTuple):
    """How a method moves on a quadratic: its family, the hyper-parameter that is its momentum (None
    where it has none), and its preconditioner (None: the identity).
    """

    family: Family
    momentum: str | None = None
    preconditioner: Preconditioner | None = None


class Example(NamedTuple):
    """The first `update` on `lrlab.optimizers.toy.bowl` with `lr` and `options`."""

    update: tuple[float, float]
    lr: float = 0.1
    options: Mapping[str, Value] = {}


class Method(NamedTuple):
    """One optimizer, as `lrlab.core.registry` wants its entries.

    `make`: "module:function" of `function(lr, *, hyper-parameters)`, which gives an Optax
    transformation. For Optax's own functions the table holds what the source of ours says:
    `summary`, `formula` (with source and the unit of `lr`), `parameters` (the hyper-parameters
    offered here, with their defaults), an `example`, and `fixed`, further arguments.

    `decoupled`: whether weight decay is decoupled from the gradient by default. `needs`: what an
    update needs beside gradients and parameters. `own_iterates`: it sets the parameters from sums
    of its own, so that what is done to a finished update is lost with the next one.
    `follows_a_point`: parameters arrive at a point of the method's own whatever multiplies its
    updates, so that a multiple is none of the learning rate. `real_only`: it orders, clips or
    multiplies numbers, which makes no sense for complex parameters. `dynamics`: None where not
    known. `mup`: the family of learning rate rules that it follows in muP, updates in proportion to
    the gradient ("sgd") or of a size of their own ("adam"); None where no rule is known. `aliases`:
    other names, with what is another default under them.
    """

    make: str
    summary: str = ""
    formula: str = ""
    parameters: Mapping[str, Value] | None = None
    fixed: Mapping[str, Value] = {}
    example: Example | None = None
    kind: Kind = "optimizer"
    decoupled: bool = True
    needs: tuple[Need, ...] = ()
    own_iterates: bool = False
    follows_a_point: bool = False
    real_only: bool = False
    dynamics: Quadratic | None = None
    mup: Literal["sgd", "adam"] | None = None
    aliases: Mapping[str, Mapping[str, Value]] = {}

    @property
    def defaults(self) -> Mapping[str, Value]:
        """Options of every optimizer whose default is another one here."""
        return {} if self.decoupled else {"decoupled": False}

    @property
    def docstring(self) -> str | None:
        """The text of Optax's functions; None: the function has its own."""
        if not self.summary:
            return None
        return f"{self.summary}\n\n{textwrap.fill(self.formula, 96, break_on_hyphens=False)}"

    @property
    def one_batch(self) -> bool:
        """Whether it calls the loss of the step's batch again: gradients cannot be accumulated."""
        return "value_fn" in self.needs

    @property
    def takes_multipliers(self) -> bool:
        """Whether its updates, multiplied, are its own with a multiple of the learning rate."""
        return not (self.own_iterates or self.follows_a_point)
