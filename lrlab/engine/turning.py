"""Kernels that every update turns: a tile carries them turned from one update to the next.

To turn an array is to swap its last two axes. `lrlab.models.dense` computes with the examples last,
so the forward pass takes the first layer's kernel [in, out] as [out, in], and where there are more
inputs than outputs its gradient comes as [out, in] too. A loop that carries [in, out] turns both at
every update, and the optimizer then reads against the grain. Only the layout between updates
changes: model, loss and optimizer see [in, out].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var

from lrlab.engine.jaxprs import inner_programs, opened, shape_of
from lrlab.engine.rewriting import BY_POSITION
from lrlab.engine.state import LaneState
from lrlab.types import PyTree

HELD = "optimization_barrier"
"""By this, our own products hold what they take as it lies in memory (see `models.dense`)."""

READS = frozenset({HELD, "dot_general", "conv_general_dilated", "gather", "dynamic_slice", "scan",
                   "while", "cond"})  # fmt: skip
"""Equations that depend on how an array lies in memory."""


class Turned(NamedTuple):
    """Which arrays of a lane's state are carried turned: a bool for each array of `params` and of
    `optimizer`, in tree order. Not trees like those of the state: a container of somebody's own
    need not take bools where it holds arrays."""

    params: Sequence[bool]
    optimizer: Sequence[bool]


class Use(NamedTuple):
    """A way in which parameter number `place`, in tree order, is taken: turned, or as it is."""

    place: int
    turned: bool


def turned(state: LaneState, which: Turned | None) -> LaneState:
    """A state with the arrays `which` turned (None: as it is); its own inverse.

    >>> state = LaneState({"w": jnp.ones((3, 2))}, (), (), *[jnp.zeros(())] * 3)
    >>> turned(state, Turned([True], [])).params["w"].shape
    (2, 3)
    """
    if which is None:
        return state
    params = _swapped(state.params, which.params)
    return state._replace(params=params, optimizer=_swapped(state.optimizer, which.optimizer))


def _swapped(tree: PyTree, swaps: Sequence[bool]) -> PyTree:
    leaves, structure = jax.tree.flatten(tree)
    pairs = zip(leaves, swaps, strict=True)
    return jax.tree.unflatten(
        structure, [jnp.swapaxes(leaf, -1, -2) if swap else leaf for leaf, swap in pairs]
    )


def to_turn(update: ClosedJaxpr, state: LaneState, first: int) -> Turned | None:
    """What a tile carries turned: kernels with more inputs than outputs that the products of an
    update take turned and never as they are, and what the optimizer holds for them, which is where
    a path ends as a kernel's and the shape is the same. None: nothing.

    Args:
        update: the program of a tile's update.
        state: its state or the shapes of it, arrays [T, ...].
        first: the place of the state's first array, a parameter, among the program's inputs.
    """
    params = jax.tree_util.tree_leaves_with_path(state.params)
    inputs = update.jaxpr.invars[first : first + len(params)]
    uses = _uses(update.jaxpr, {one: Use(place, False) for place, one in enumerate(inputs)})
    as_they_are = {use.place for use in uses if not use.turned}
    places = {use.place for use in uses if use.turned} - as_they_are
    swaps = [place in places and leaf.shape[-2] > leaf.shape[-1]
             for place, (_, leaf) in enumerate(params)]  # fmt: skip
    if not any(swaps):
        return None
    kernels = [(path, leaf.shape) for (path, leaf), swap in zip(params, swaps, strict=True) if swap]
    rest = jax.tree_util.tree_leaves_with_path(state.optimizer)
    return Turned(
        swaps,
        [any(path[len(path) - len(end) :] == end and leaf.shape == shape for end, shape in kernels)
         for path, leaf in rest],
    )  # fmt: skip


def _uses(jaxpr: Jaxpr, known: Mapping[Var, Use]) -> set[Use]:
    """How the equations `READS` of a program, and of those inside it, take parameters.

    A turned one counts as turned where it is `HELD`, else as one that is as it is: XLA folds a
    transposition into a product of its own, and takes up to 1.7 times as long where a kernel comes
    turned from the update before (x w^T, as PyTorch has it). What goes number by number through an
    array (an optimizer) takes it either way and counts for nothing; neither does what is made of a
    parameter otherwise than by turning it.

    Args:
        known: the program's variables that are parameters, turned or not.
    """
    known, uses = dict(known), set()
    for equation in jaxpr.eqns:
        name, inputs = equation.primitive.name, equation.invars
        taken = {position: known[variable] for position, variable in enumerate(inputs)
                 if not isinstance(variable, Literal) and variable in known}  # fmt: skip
        if not taken:
            continue
        if name in READS:
            uses |= {use._replace(turned=use.turned and name == HELD) for use in taken.values()}
        elif name == "transpose":
            axes, count = equation.params["permutation"], len(shape_of(inputs[0]))
            # The first axis counts lanes: a vector [T, n] has nothing to turn.
            if count > 2 and axes == (*range(count - 2), count - 1, count - 2):
                use = taken[0]
                known[equation.outvars[0]] = use._replace(turned=not use.turned)
        elif name in BY_POSITION:
            for inner in map(opened, inner_programs(equation)):
                if len(inner.invars) == len(inputs):
                    inside = {inner.invars[position]: use for position, use in taken.items()}
                    uses |= _uses(inner, inside)
    return uses
