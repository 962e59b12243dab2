"""What optimizer states say about themselves: parameters to evaluate, the step size in use.

A state that keeps an average has a field `evaluation` (a pytree like the parameters); one that
sets its own step size has a field `effective_lr` (a scalar). They are found wherever they sit.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.types import Array, Params, PyTree


class Recorded(NamedTuple):
    """A state beside the step size of the last update."""

    inner: PyTree
    effective_lr: Array


class Averaged(NamedTuple):
    """A state beside the average of the parameters; `count` int32 updates seen."""

    inner: PyTree
    evaluation: Params
    count: Array


def evaluation_params(opt_state: PyTree, params: Params) -> Params:
    """`params`, with the average in their place wherever the state keeps one (outermost first).

    >>> import jax.numpy as jnp
    >>> float(evaluation_params(Averaged((), jnp.float32(2.0), 0), jnp.float32(1.0)))
    2.0
    """
    for node in nodes(opt_state, "evaluation"):
        params = jax.tree.map(
            lambda average, own: own if isinstance(average, optax.MaskedNode) else average,
            node.evaluation,
            params,
            is_leaf=lambda leaf: isinstance(leaf, optax.MaskedNode),
        )
    return params


def effective_lr(opt_state: PyTree) -> Array | None:
    """The step size of the last update (their mean, where groups have one each), or None."""
    sizes = [node.effective_lr for node in nodes(opt_state, "effective_lr")]
    return sum(sizes) / len(sizes) if sizes else None


def nodes(tree: PyTree, field: str) -> list[PyTree]:
    """The states (NamedTuples) that have `field`, wherever they sit in an optimizer's state."""

    def has(node: object) -> bool:
        return field in getattr(node, "_fields", ())

    return [node for node in jax.tree.leaves(tree, is_leaf=has) if has(node)]


def float_dtype(params: Params) -> jnp.dtype:
    """The dtype of real scalars that go with `params`: their lowest precision."""
    return jnp.finfo(optax.tree.dtype(params, "lowest")).dtype
