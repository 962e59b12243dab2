"""Anyone's network as two pure functions: Flax Linen modules, NNX factories, and `Model` itself."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from lrlab.core.hyper import any_hyper, takes_hyper
from lrlab.core.text import Table
from lrlab.models.calls import call_of, hyper_argument, is_nnx
from lrlab.models.foreign import check_foreign
from lrlab.models.interned import cached
from lrlab.models.linen import linen, linen_call
from lrlab.models.modes import ModelError, check_unknown, effects, flags, others
from lrlab.models.streams import further
from lrlab.types import Array, Model, PyTree


def as_model(network: object, rngs: Sequence[str] = ("dropout",)) -> Model:
    """`network` as a `Model`; an equal network gives the same functions, so nothing compiles twice.

    Args:
        network: a Linen module, called as `module(x)` or with its mode (`train`, `training`,
            `is_training`, `deterministic`, `use_running_average`, as arguments or as fields); a
            function `rngs -> NNX module` (or an NNX class that needs nothing but `rngs`); or a
            `Model`. Dropout draws from the stream "dropout". Collections other than parameters
            travel with the variables, change in training and are frozen in evaluation; what a
            module sows is dropped. One whose `__call__` has a parameter `hyper` gets the lane's
            scalars there, and so have the functions of the `Model`.
        rngs: the random streams of a Linen module. "dropout", which is always among them, is the
            key that `apply` gets; any other is `lrlab.rng.key(that, name)`.

    Raises:
        ValueError: none of these, or it cannot be called so; the message says what to give.

    >>> import flax.linen as nn
    >>> as_model(nn.Dense(3)) is as_model(nn.Dense(3))
    True
    """
    names = further(rngs)
    if isinstance(network, nn.Module):
        return cached(linen, network, *names)
    if names and (isinstance(network, Model) or callable(network)):
        raise ModelError(
            f"rngs names the random streams of a Linen module, and {', '.join(names)} mean nothing "
            "here: an NNX module has every stream that its rngs are asked for (rngs.sample()), and "
            "lrlab.Model(init, apply) splits its own key; leave rngs out",
            "rngs",
        )
    if isinstance(network, Model):
        return network
    if isinstance(network, type) and issubclass(network, nn.Module):
        raise ModelError(
            f"model is the class {network.__name__}; give an instance: {network.__name__}(...)"
        )
    if is_nnx(network):
        raise ModelError(
            "model is an NNX module; give the function that makes it, so that every seed has its "
            f"own weights: lambda rngs: {type(network).__name__}(..., rngs=rngs)"
        )
    check_foreign(network)
    if callable(network):
        from lrlab.models.nnx import nnx_model

        return cached(nnx_model, network)
    raise ModelError(
        "model must be a Flax Linen module, a function rngs -> NNX module, or "
        f"lrlab.Model(init, apply); got {type(network).__name__}"
    )


def check_modes(network: object, x: PyTree, rngs: Sequence[str] = ("dropout",)) -> None:
    """Whether a Linen or NNX network has a mode that training does not reach; nothing is computed.

    Args:
        network, rngs: as `as_model` takes them.
        x: shapes and dtypes of a batch of inputs.

    Raises:
        ModelError: an argument that decides what is random or changes in training has a name that
            lrlab does not know.
    """
    if isinstance(network, Model) or not callable(network):
        return
    if isinstance(network, nn.Module):
        named = network
        run = linen_call(network, *further(rngs))
    else:
        from lrlab.models.nnx import abstract, nnx_call

        named, run = abstract(network), nnx_call(network)
    name = type(named).__name__
    unknown = flags(call_of(named), name).unknown
    if not any(map(others, unknown.values())):
        return
    key = jax.eval_shape(lambda: jax.random.key(0))
    own = hyper_argument(takes_hyper(call_of(named)), any_hyper(1.0))
    init = functools.partial(as_model(network, rngs).init, **own)
    variables = jax.eval_shape(lambda key, x: init(key, x), key, x)

    def trace(arguments: Table) -> tuple[bool, ...]:
        def training(key: Array, variables: PyTree) -> tuple[Array, PyTree]:
            inputs = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), x)
            return run(variables, inputs, True, key, {**own, **arguments}, watch=False)

        return effects(training, key, variables)

    check_unknown(name, unknown, trace)
