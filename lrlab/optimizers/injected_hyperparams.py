"""Hyper-parameters that an optimizer keeps in its state (`optax.inject_hyperparams`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jax.extend.core import Literal, Var

from lrlab.optimizers.states import nodes
from lrlab.types import PyTree, Scalar

RATE = "learning_rate"

Moving = tuple[Mapping[str, Scalar], set[str]]
"""The hyper-parameters of a step, and the names of those that depend on the rate."""


def holds_rate(state: PyTree) -> bool:
    """Whether an optimizer's state holds a learning rate that can be overwritten."""
    return any(RATE in node.hyperparams for node in injected(state))


def follows_its_own(state: PyTree) -> bool:
    """Whether a state's learning rate comes from a schedule inside the transformation."""
    return any(RATE in getattr(node, "hyperparams_states", {}) for node in injected(state))


def injected(state: PyTree) -> list[PyTree]:
    """Every state of `inject_hyperparams`, those inside one another too."""
    states = []
    for node in nodes(state, "hyperparams"):
        states += [node, *injected(node.inner_state)]
    return states


def current(
    state: PyTree, fresh: Sequence[Moving], by_name: Mapping[str, Scalar]
) -> tuple[PyTree, frozenset[str]]:
    """`state` with the hyper-parameters of this step wherever it holds some, and which of `by_name`
    were put there.

    Args:
        state: of an optimizer; what holds hyper-parameters may sit at any depth.
        fresh: of each `injected` of the state that the transformation of this step begins with.
        by_name: "lr" and further scalars that take the place of the hyper-parameter of their name.
    """
    used: set[str] = set()
    at_this_step = iter(fresh)

    def refreshed(node: PyTree) -> PyTree:
        if not _holds(node):
            return node
        (now, moving), own = next(at_this_step), getattr(node, "hyperparams_states", {})
        values = {}
        for name, value in node.hyperparams.items():
            source = "lr" if name == RATE else name
            if source in by_name and name not in own:
                used.add(source)
                values[name] = jnp.asarray(by_name[source], jnp.asarray(value).dtype)
            else:
                values[name] = now[name] if name in moving else value
        inner = jax.tree.map(refreshed, node.inner_state, is_leaf=_holds)
        return node._replace(hyperparams=values, inner_state=inner)

    return jax.tree.map(refreshed, state, is_leaf=_holds), frozenset(used)


def of_this_step(begin: Callable[[Scalar], PyTree], rate: Scalar) -> list[Moving]:
    """What `current` wants as `fresh`; `begin(rate)` is the state that an optimizer begins with.

    What does not depend on the rate stays what the state says, as in a loop by hand.
    """

    def parameters(rate: Scalar) -> list[Mapping[str, Scalar]]:
        return [node.hyperparams for node in injected(begin(rate))]

    closed, shapes = jax.make_jaxpr(parameters, return_shape=True)(rate)
    tainted: set[Var] = set(closed.jaxpr.invars)

    def depends(atom: Var | Literal) -> bool:
        return not isinstance(atom, Literal) and atom in tainted

    for equation in closed.jaxpr.eqns:
        if any(map(depends, equation.invars)):
            tainted.update(equation.outvars)
    moves = list(map(depends, closed.jaxpr.outvars))
    marked = jax.tree.unflatten(jax.tree.structure(shapes), moves)
    return [
        (values, {name for name, moving in own.items() if moving})
        for values, own in zip(parameters(rate), marked, strict=True)
    ]


def _holds(node: object) -> bool:
    return "hyperparams" in getattr(node, "_fields", ())
