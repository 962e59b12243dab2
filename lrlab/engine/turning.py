"""Kernels that every update turns: a tile carries them turned from one update to the next.

`lrlab.models.dense` computes with the examples last, so the forward pass takes the first layer's
kernel [in, out] as [out, in], and where there are more inputs than outputs its gradient comes as
[out, in] too. A loop that carries [in, out] turns both at every update, and the optimizer then
reads against the grain. Only the layout between updates changes: model, loss and optimizer see
[in, out].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var

from lrlab.engine.jaxprs import inner_programs, opened, shape_of
from lrlab.engine.rewriting import BY_POSITION
from lrlab.engine.state import LaneState
from lrlab.types import PyTree

READS = frozenset({"optimization_barrier", "dot_general", "conv_general_dilated", "gather",
                   "dynamic_slice", "scan", "while", "cond"})  # fmt: skip
"""Equations that depend on how an array lies in memory. Our own products hold what they take in
place by an `optimization_barrier` (see `models.dense`)."""


class Turned(NamedTuple):
    """Which arrays of a lane's state are carried turned: a bool for each of `params` and of
    `optimizer`, trees like those of the state."""

    params: PyTree
    optimizer: PyTree


class Use(NamedTuple):
    """How an equation takes parameter number `place`."""

    place: int
    turned: bool


def turned(state: LaneState, which: Turned | None) -> LaneState:
    """A state with the last two axes of the arrays `which` swapped; its own inverse.

    >>> state = LaneState({"w": jnp.ones((3, 2))}, (), (), *[jnp.zeros(())] * 3)
    >>> turned(state, Turned({"w": True}, ())).params["w"].shape
    (2, 3)
    """
    if which is None:
        return state
    params, optimizer = jax.tree.map(
        lambda leaf, swaps: jnp.swapaxes(leaf, -1, -2) if swaps else leaf,
        (state.params, state.optimizer),
        (which.params, which.optimizer),
    )
    return state._replace(params=params, optimizer=optimizer)


def to_turn(update: ClosedJaxpr, state: LaneState, first: int) -> Turned | None:
    """What a tile carries turned: kernels with more inputs than outputs that the products of an
    update take turned and never as they are, and what the optimizer holds for them. None: nothing.

    Args:
        update: the program of a tile's update.
        state: its state or the shapes of it, arrays [T, ...].
        first: the place of the state's first array, a parameter, among the program's inputs.
    """
    params, tree = jax.tree.flatten(state.params)
    inputs = {variable: Use(place, False) for place, variable in
              enumerate(update.jaxpr.invars[first : first + len(params)])}  # fmt: skip
    uses = _uses(update.jaxpr, inputs)
    places = {use.place for use in uses if use.turned} - {
        use.place for use in uses if not use.turned
    }
    swaps = [place in places and leaf.shape[-2] > leaf.shape[-1]
             for place, leaf in enumerate(params)]  # fmt: skip
    if not any(swaps):
        return None
    which = jax.tree.unflatten(tree, swaps)
    return Turned(which, _alike(state, which))


def _uses(jaxpr: Jaxpr, known: Mapping[Var, Use]) -> set[Use]:
    """How the products of a program, and whatever else reads in rows, take the variables `known`;
    what goes number by number through an array (an optimizer) takes it either way."""
    known, uses = dict(known), set()
    for equation in jaxpr.eqns:
        name, inputs = equation.primitive.name, equation.invars
        here = {place: known[variable] for place, variable in enumerate(inputs)
                if not isinstance(variable, Literal) and variable in known}  # fmt: skip
        if not here:
            continue
        if name in READS:
            uses |= set(here.values())
        elif name == "transpose":
            axes = equation.params["permutation"]
            count = len(shape_of(inputs[0]))
            if count > 1 and axes == (*range(count - 2), count - 1, count - 2):
                use = here[0]
                known[equation.outvars[0]] = use._replace(turned=not use.turned)
        elif name in BY_POSITION:
            for inner in map(opened, inner_programs(equation)):
                if len(inner.invars) == len(inputs):
                    uses |= _uses(inner, {inner.invars[place]: use for place, use in here.items()})
    return uses


def _alike(state: LaneState, which: PyTree) -> PyTree:
    """For each array of the optimizer's state whether it is turned: where its path ends as that of
    a parameter that is, and it has the same shape."""
    shapes = {}
    params = jax.tree_util.tree_leaves_with_path(state.params)
    for (path, leaf), swaps in zip(params, jax.tree.leaves(which), strict=True):
        if swaps:
            shapes[path] = leaf.shape

    def swapped(path: tuple[object, ...], leaf: jax.Array) -> bool:
        return any(path[len(path) - len(end) :] == end and leaf.shape == shape
                   for end, shape in shapes.items())  # fmt: skip

    return jax.tree_util.tree_map_with_path(swapped, state.optimizer)
