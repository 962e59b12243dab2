"""Flax Linen modules as pure functions."""

from __future__ import annotations

import functools
from types import MappingProxyType

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.tree_util import PyTreeDef

from lrlab.core.hyper import any_hyper, takes_hyper
from lrlab.core.text import Table
from lrlab.models.calls import Call, hyper_argument, with_lane
from lrlab.models.collections import Place, only, state_of, updated
from lrlab.models.modes import ModelError, Seen, check_seen, flags, in_mode, placed, watching
from lrlab.models.streams import streams
from lrlab.types import Array, Hyper, Model, PyTree

Inputs = tuple[PyTreeDef, tuple[jax.ShapeDtypeStruct, ...]]
"""What inputs are made of: their structure, and the shapes and dtypes of their leaves."""


def linen(module: nn.Module, *names: str) -> Model:
    """A Linen module as a `Model`; `names`: its random streams beside "dropout"."""
    name = type(module).__name__
    taken = flags(module.__call__, name)
    starting, at_init = in_mode(module, taken, False, starting=True)
    first, named = placed(module.__call__, at_init)
    takes = takes_hyper(module.__call__)

    @functools.lru_cache(maxsize=16)
    def needed(inputs: Inputs) -> frozenset[Place]:
        x = jax.tree.unflatten(*inputs)
        key = jax.eval_shape(lambda: jax.random.key(0))
        own = hyper_argument(takes, any_hyper(1.0))
        variables = jax.eval_shape(
            lambda key, x: starting.init(key, x, *first, **named, **own), key, x
        )

        def apply(variables: PyTree, train: bool, mutable: list[str]) -> tuple[PyTree, PyTree]:
            called, options = in_mode(module, taken, train)
            args, kwargs = placed(called.__call__, options)
            inputs = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), x)
            rngs = streams(jax.random.key(0), names)
            return called.apply(
                variables, inputs, *args, rngs=rngs, mutable=mutable, **kwargs, **own
            )

        return state_of(variables, apply)

    def init(key: Array, x: Array, hyper: Hyper | None = None) -> PyTree:
        own = hyper_argument(takes, hyper)
        variables = dict(starting.init(key, x, *first, **named, **own))
        if variables.keys() <= {"params"}:
            return variables
        leaves, structure = jax.tree.flatten(x)
        shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
        return {
            "params": variables.get("params", {}),
            **only(variables, needed((structure, shapes))),
        }

    def features(
        variables: PyTree, x: Array, key: Array, hyper: Hyper | None = None
    ) -> dict[str, Array]:
        called, options = in_mode(module, taken, False)
        args, kwargs = placed(called.__call__, options)
        seen = called.apply(
            variables,
            x,
            *args,
            rngs=streams(key, names),
            capture_intermediates=True,
            mutable=["intermediates"],
            **kwargs,
            **hyper_argument(takes, hyper),
        )[1]["intermediates"]
        return _by_layer(seen)

    if takes:
        return with_lane(init, linen_call(module, *names), features)
    return Model(
        lambda key, x: init(key, x),
        linen_call(module, *names),
        lambda variables, x, key: features(variables, x, key),
    )


def linen_call(module: nn.Module, *names: str) -> Call:
    """How a Linen module is called; `names`: its random streams beside "dropout"."""
    name = type(module).__name__
    taken = flags(module.__call__, name)

    def apply(
        variables: PyTree,
        x: Array,
        train: bool,
        key: Array,
        arguments: Table = MappingProxyType({}),
        watch: bool = True,
    ) -> tuple[Array, PyTree]:
        called, options = in_mode(module, taken, train)
        args, kwargs = placed(called.__call__, {**options, **arguments})
        state = {name: part for name, part in variables.items() if name != "params"}
        changing = list(state) if train else []
        seen: Seen = {}
        try:
            with nn.intercept_methods(watching(seen)):
                outputs, changed = called.apply(
                    variables, x, *args, rngs=streams(key, names), mutable=changing, **kwargs
                )
        except flax.errors.InvalidRngError as error:
            known = ", ".join(f'"{stream}"' for stream in ("dropout", *names))
            raise ModelError(
                f"{name} draws from a random stream that lrlab does not give; it gives {known} "
                'alone: name the stream in rngs=("dropout", "sample"), or take '
                f'self.make_rng("dropout"): {error}'
            ) from error
        except flax.errors.ModifyScopeVariableError:
            if watch:  # Flax refuses what the layer does, and does not say why it does it
                check_seen(name, seen, train)
            raise
        if watch:
            check_seen(name, seen, train)
        if not changing:
            return outputs, variables
        return outputs, {**variables, **updated(state, changed)}

    return apply


def _by_layer(seen: PyTree) -> dict[str, Array]:
    """Outputs by module path ("block_0.attention"), the whole network's as "output"; the last of
    several calls of one module."""
    result = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(seen)[0]:
        parts = [str(part.key) for part in path if isinstance(part, jax.tree_util.DictKey)]
        if "__call__" in parts and jnp.issubdtype(leaf.dtype, jnp.floating):
            result[".".join(part for part in parts if part != "__call__") or "output"] = leaf
    return result
