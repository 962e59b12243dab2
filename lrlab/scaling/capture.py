"""What every layer of a model puts out: for Linen and NNX modules, whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
from flax import nnx

from lrlab.models.modes import MODES, flags, in_mode
from lrlab.models.nnx import nnx_module, set_mode
from lrlab.types import Array, PyTree


def layer_outputs(network: object, variables: PyTree, x: Array) -> dict[str, Array]:
    """The output of every submodule by path, in evaluation mode, and the network's own, as
    "output", unless a submodule's is just that. What a network computes from its parameters itself,
    or by another method than a submodule's call (`Embed.attend`), is seen there alone.

    Args:
        network: a Linen module, or a function `rngs -> NNX module`.
        variables: as `lrlab.models.as_model(network).init` makes them.

    Raises:
        ValueError: a `Model(init, apply)`, whose inside cannot be seen.

    >>> net = nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(2)])
    >>> x = jax.numpy.ones((3, 5))
    >>> list(layer_outputs(net, net.init(jax.random.key(0), x), x))
    ['layers_0', 'layers_2']
    """
    if isinstance(network, nn.Module):
        called, options = in_mode(network, flags(network.__call__, type(network).__name__), False)  # type: ignore[attr-defined]
        outputs, seen = called.apply(
            variables, x, capture_intermediates=True, mutable=["intermediates"], **options
        )
        tree = seen["intermediates"]
    elif callable(network):
        outputs, tree = _nnx_outputs(network, variables, x)
    else:
        raise ValueError(
            "the layers of a Model(init, apply) cannot be seen; give the Linen module or the "
            "function rngs -> NNX module itself"
        )
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    layers: dict[str, Array] = {}
    for path, leaf in flat:
        parts = [str(getattr(key, "key", getattr(key, "idx", key))) for key in path]
        name = "/".join(part for part in parts if part != "__call__" and not part.isdigit())
        numbered = "/".join(part for part in parts[:-1] if part != "__call__")
        if hasattr(leaf, "ndim") and leaf.ndim >= 2 and (numbered or name):
            layers[numbered or name] = leaf
    own, _ = jax.tree_util.tree_flatten_with_path(outputs)
    for path, leaf in own:
        if not any(leaf is inner for inner in layers.values()):
            layers[
                "/".join(["output", *(jax.tree_util.keystr((k,), simple=True) for k in path)])
            ] = leaf
    return layers


def _nnx_outputs(
    factory: Callable[..., object], variables: PyTree, x: Array
) -> tuple[PyTree, PyTree]:
    module: Any = nnx_module(factory, variables)
    set_mode(module, False)
    taken = flags(module.__call__, type(module).__name__)
    options = {key: not MODES[key] for key in (*taken.required, *taken.optional)}
    run = nnx.capture(module, nnx.Intermediate, method_outputs=nnx.Intermediate)  # type: ignore
    outputs, seen = run(x, **options)
    return outputs, nnx.to_pure_dict(seen)
