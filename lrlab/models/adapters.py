"""Anyone's network as two pure functions: Flax Linen modules, NNX factories, and `Model` itself."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

from lrlab.types import Array, Model, PyTree


def as_model(network: Any) -> Model:
    """`network` as a `Model`; an equal network gives the same functions, so nothing compiles twice.

    Args:
        network: a Linen module, called as `module(x)` or `module(x, train=...)`; a function
            `rngs -> NNX module` (or an NNX class that needs nothing but `rngs`); or a `Model`.
            Dropout draws from the stream "dropout". Collections other than parameters travel with
            the variables, change in training and are frozen in evaluation.

    Raises:
        ValueError: none of these, or it cannot be called so; the message says what to give.

    >>> import flax.linen as nn
    >>> as_model(nn.Dense(3)) is as_model(nn.Dense(3))
    True
    """
    if isinstance(network, Model):
        return network
    if isinstance(network, nn.Module):
        return _cached(_linen, network)
    if isinstance(network, type) and issubclass(network, nn.Module):
        raise ValueError(
            f"model is the class {network.__name__}; give an instance: {network.__name__}(...)"
        )
    if isinstance(network, nnx.Module):
        raise ValueError(
            "model is an NNX module; give the function that makes it, so that every seed has its "
            f"own weights: lambda rngs: {type(network).__name__}(..., rngs=rngs)"
        )
    if callable(network):
        return _cached(_nnx, network)
    raise ValueError(
        "model must be a Flax Linen module, a function rngs -> NNX module, or "
        f"lrlab.Model(init, apply); got {type(network).__name__}"
    )


_unhashable: dict[int, tuple[Any, Model]] = {}


def _cached(adapt: Callable[[Any], Model], network: Any) -> Model:
    """By equality where the network can be hashed, else by identity."""
    try:
        hash(network)
    except TypeError:
        if id(network) not in _unhashable:
            _unhashable[id(network)] = (network, adapt.__wrapped__(network))  # type: ignore
        return _unhashable[id(network)][1]
    return adapt(network)


def _takes_train(call: Callable[..., Any], name: str) -> tuple[bool, bool]:
    """Whether a module's `__call__` has `train`, and whether `train` has a default."""
    parameters = dict(inspect.signature(call).parameters)
    inputs = next(iter(parameters), None)
    if inputs is None:
        raise ValueError(f"{name} takes no inputs; lrlab calls model(x) or model(x, train=...)")
    needed = [
        key
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and key not in (inputs, "train")
    ]
    if needed:
        raise ValueError(
            f"{name} must be called with {', '.join(needed)}; lrlab calls model(x) or "
            "model(x, train=...): wrap it, or give those arguments defaults"
        )
    train = parameters.get("train")
    return train is not None, train is not None and train.default is not train.empty


@functools.lru_cache(maxsize=512)
def _linen(module: nn.Module) -> Model:
    takes_train, has_default = _takes_train(module.__call__, type(module).__name__)  # type: ignore
    at_init: dict[str, Any] = {"train": False} if takes_train and not has_default else {}

    def init(key: Array, x: Array) -> PyTree:
        return dict(module.init(key, x, **at_init))

    def apply(variables: PyTree, x: Array, train: bool, key: Array) -> tuple[Array, PyTree]:
        options: dict[str, Any] = {"train": train} if takes_train else {}
        changing = [name for name in variables if name != "params"] if train else []
        if not changing:
            return module.apply(variables, x, rngs={"dropout": key}, **options), variables
        outputs, changed = module.apply(
            variables, x, rngs={"dropout": key}, mutable=changing, **options
        )
        return outputs, {**variables, **changed}

    def features(variables: PyTree, x: Array, key: Array) -> dict[str, Array]:
        options: dict[str, Any] = {"train": False} if takes_train else {}
        seen = module.apply(
            variables,
            x,
            rngs={"dropout": key},
            capture_intermediates=True,
            mutable=["intermediates"],
            **options,
        )[1]["intermediates"]
        return _by_layer(seen)

    return Model(init, apply, features)


def _by_layer(seen: PyTree) -> dict[str, Array]:
    """Outputs by module path ("block_0.attention"), the whole network's as "output"; the last of
    several calls of one module."""
    found = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(seen)[0]:
        parts = [str(part.key) for part in path if isinstance(part, jax.tree_util.DictKey)]
        if "__call__" in parts and jnp.issubdtype(leaf.dtype, jnp.floating):
            found[".".join(part for part in parts if part != "__call__") or "output"] = leaf
    return found


@functools.lru_cache(maxsize=512)
def _nnx(factory: Callable[..., Any]) -> Model:
    build = _builder(factory)

    def init(key: Array, x: Array) -> PyTree:
        _, params, _, _, rest = _parts(build(key))
        variables = {"params": nnx.to_pure_dict(params)}
        rest = nnx.to_pure_dict(rest)
        return {**variables, "state": rest} if jax.tree.leaves(rest) else variables

    def apply(variables: PyTree, x: Array, train: bool, key: Array) -> tuple[Array, PyTree]:
        module = nnx_module(factory, variables, key)
        module.train() if train else module.eval()
        takes_train, _ = _takes_train(module.__call__, type(module).__name__)  # type: ignore
        outputs = module(x, train=train) if takes_train else module(x)  # type: ignore
        if not train or "state" not in variables:
            return outputs, variables
        return outputs, {**variables, "state": nnx.to_pure_dict(_parts(module)[-1])}

    return Model(init, apply)


def nnx_module(
    factory: Callable[..., Any], variables: PyTree, key: Array | None = None
) -> nnx.Module:
    """The NNX module that `factory` makes, holding `variables`, its random streams from `key`."""
    build = _builder(factory)
    # Shapes only: the graph is a constant of the factory and every array is put in below.
    abstract = nnx.eval_shape(lambda: build(jax.random.key(0)))
    graph, params, random, seen, rest = _parts(abstract)
    nnx.replace_by_pure_dict(params, variables["params"])
    if "state" in variables:
        nnx.replace_by_pure_dict(rest, variables["state"])
    key = jax.random.key(0) if key is None else key
    return nnx.merge(graph, params, _reseeded(random, key), seen, rest)


def _builder(factory: Callable[..., Any]) -> Callable[[Array], nnx.Module]:
    by_name = _wants_rngs_by_name(factory)

    def build(key: Array) -> nnx.Module:
        rngs = nnx.Rngs(key)
        module = factory(rngs=rngs) if by_name else factory(rngs)
        if not isinstance(module, nnx.Module):
            raise ValueError(
                f"the model function must return an NNX module, it returned {module!r}; for a "
                "Linen module give the module itself"
            )
        return module

    return build


def _parts(module: nnx.Module) -> Any:
    return nnx.split(module, nnx.Param, nnx.RngState, nnx.Intermediate, ...)


def _wants_rngs_by_name(factory: Callable[..., Any]) -> bool:
    name = getattr(factory, "__name__", repr(factory))
    # A class's own signature is that of its metaclass, which takes anything.
    called = functools.partial(factory.__init__, None) if isinstance(factory, type) else factory
    try:
        parameters = inspect.signature(called).parameters
    except (TypeError, ValueError):
        return False
    needed = [
        key
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and key != "rngs"
    ]
    if len(needed) > (0 if "rngs" in parameters else 1):
        raise ValueError(
            f"model function {name} needs {', '.join(needed)}; it must take rngs alone: "
            f"lambda rngs: {name}(..., rngs=rngs)"
        )
    return "rngs" in parameters


def _reseeded(random: Any, key: Array) -> Any:
    """Every random stream of a module from `key`, each with its own; counts from 0."""
    leaves, structure = jax.tree.flatten(random)
    fresh = [
        jax.random.fold_in(key, number)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        else jnp.zeros(leaf.shape, leaf.dtype)
        for number, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, fresh)
