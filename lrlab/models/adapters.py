"""Anyone's network as two pure functions: Flax Linen modules, NNX factories, and `Model` itself."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import MappingProxyType
from typing import TypeAlias, cast

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx
from jax.tree_util import PyTreeDef

from lrlab.core.text import Table
from lrlab.models.collections import Place, only, state_of, updated
from lrlab.models.foreign import check_foreign, wrapped
from lrlab.models.interned import cached
from lrlab.models.modes import (
    MODES,
    ModelError,
    Seen,
    before_call,
    check_called,
    check_seen,
    check_unknown,
    effects,
    flags,
    in_mode,
    others,
    placed,
    set_mode,
    watching,
)
from lrlab.types import Array, Model, PyTree


def as_model(network: object) -> Model:
    """`network` as a `Model`; an equal network gives the same functions, so nothing compiles twice.

    Args:
        network: a Linen module, called as `module(x)` or with its mode (`train`, `training`,
            `is_training`, `deterministic`, `use_running_average`, as arguments or as fields); a
            function `rngs -> NNX module` (or an NNX class that needs nothing but `rngs`); or a
            `Model`. Dropout draws from the stream "dropout". Collections other than parameters
            travel with the variables, change in training and are frozen in evaluation; what a
            module sows is dropped.

    Raises:
        ValueError: none of these, or it cannot be called so; the message says what to give.

    >>> import flax.linen as nn
    >>> as_model(nn.Dense(3)) is as_model(nn.Dense(3))
    True
    """
    if isinstance(network, Model):
        return network
    if isinstance(network, nn.Module):
        return cached(_linen, network)
    if isinstance(network, type) and issubclass(network, nn.Module):
        raise ModelError(
            f"model is the class {network.__name__}; give an instance: {network.__name__}(...)"
        )
    if isinstance(network, nnx.Module):
        raise ModelError(
            "model is an NNX module; give the function that makes it, so that every seed has its "
            f"own weights: lambda rngs: {type(network).__name__}(..., rngs=rngs)"
        )
    check_foreign(network)
    if callable(network):
        return cached(_nnx, network)
    raise ModelError(
        "model must be a Flax Linen module, a function rngs -> NNX module, or "
        f"lrlab.Model(init, apply); got {type(network).__name__}"
    )


def check_modes(network: object, x: PyTree) -> None:
    """Whether a Linen or NNX network has a mode that training does not reach; nothing is computed.

    Args:
        network: as `as_model` takes it.
        x: shapes and dtypes of a batch of inputs.

    Raises:
        ModelError: an argument that decides what is random or changes in training has a name that
            lrlab does not know.
    """
    if isinstance(network, Model) or not callable(network):
        return
    if isinstance(network, nn.Module):
        named = network
        run = _linen_call(network)
    else:
        build = _builder(network)
        named = nnx.eval_shape(lambda: build(jax.random.key(0)))
        run = _nnx_call(network)
    name = type(named).__name__
    unknown = flags(_call(named), name).unknown
    if not any(map(others, unknown.values())):
        return
    key = jax.eval_shape(lambda: jax.random.key(0))
    variables = jax.eval_shape(lambda key, x: as_model(network).init(key, x), key, x)

    def trace(arguments: Table) -> tuple[bool, ...]:
        def training(key: Array, variables: PyTree) -> tuple[Array, PyTree]:
            inputs = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), x)
            return run(variables, inputs, True, key, arguments, watch=False)

        return effects(training, key, variables)

    check_unknown(name, unknown, trace)


Call = Callable[..., tuple[Array, PyTree]]
"""`(variables, x, train, key, arguments={}, watch=True) -> (outputs, variables)`; `arguments`: what
else the module is called with; `watch`: whether layers that the mode does not reach are errors."""


Inputs = tuple[PyTreeDef, tuple[jax.ShapeDtypeStruct, ...]]
"""What inputs are made of: their structure, and the shapes and dtypes of their leaves."""


def _linen(module: nn.Module) -> Model:
    name = type(module).__name__
    taken = flags(module.__call__, name)
    starting, at_init = in_mode(module, taken, False, starting=True)
    first, named = placed(module.__call__, at_init)

    @functools.lru_cache(maxsize=16)
    def needed(inputs: Inputs) -> frozenset[Place]:
        x = jax.tree.unflatten(*inputs)
        key = jax.eval_shape(lambda: jax.random.key(0))
        variables = jax.eval_shape(lambda key, x: starting.init(key, x, *first, **named), key, x)

        def apply(variables: PyTree, train: bool, mutable: list[str]) -> tuple[PyTree, PyTree]:
            called, options = in_mode(module, taken, train)
            args, kwargs = placed(called.__call__, options)
            inputs = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), x)
            rngs = {"dropout": jax.random.key(0)}
            return called.apply(variables, inputs, *args, rngs=rngs, mutable=mutable, **kwargs)

        return state_of(variables, apply)

    def init(key: Array, x: Array) -> PyTree:
        variables = dict(starting.init(key, x, *first, **named))
        if variables.keys() <= {"params"}:
            return variables
        leaves, structure = jax.tree.flatten(x)
        shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
        return {
            "params": variables.get("params", {}),
            **only(variables, needed((structure, shapes))),
        }

    def features(variables: PyTree, x: Array, key: Array) -> dict[str, Array]:
        called, options = in_mode(module, taken, False)
        args, kwargs = placed(called.__call__, options)
        seen = called.apply(
            variables,
            x,
            *args,
            rngs={"dropout": key},
            capture_intermediates=True,
            mutable=["intermediates"],
            **kwargs,
        )[1]["intermediates"]
        return _by_layer(seen)

    return Model(init, _linen_call(module), features)


def _linen_call(module: nn.Module) -> Call:
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
                    variables, x, *args, rngs={"dropout": key}, mutable=changing, **kwargs
                )
        except flax.errors.InvalidRngError as error:
            raise ModelError(
                f"{name} draws from a random stream that lrlab does not give; it gives "
                f'"dropout" alone, so take self.make_rng("dropout"): {error}'
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


def _nnx(factory: Callable[..., object]) -> Model:
    build = _builder(factory)

    def init(key: Array, x: Array) -> PyTree:
        _, params, _, _, rest = _parts(build(key))
        variables = {"params": nnx.to_pure_dict(params)}
        rest = nnx.to_pure_dict(rest)
        return {**variables, "state": rest} if jax.tree.leaves(rest) else variables

    return Model(init, _nnx_call(factory))


def _nnx_call(factory: Callable[..., object]) -> Call:
    def apply(
        variables: PyTree,
        x: Array,
        train: bool,
        key: Array,
        arguments: Table = MappingProxyType({}),
        watch: bool = True,
    ) -> tuple[Array, PyTree]:
        module = nnx_module(factory, variables, key)
        set_mode(module, train)
        name, call = type(module).__name__, _call(module)
        taken = flags(call, name)
        before = before_call(module)
        options = {key: MODES[key] == train for key in (*taken.required, *taken.optional)}
        outputs = call(x, **options, **arguments)
        if watch:
            check_called(name, before, train)
        if not train or "state" not in variables:
            return outputs, variables
        rest = nnx.to_pure_dict(_parts(module)[-1])
        return outputs, {**variables, "state": updated(variables["state"], rest)}

    return apply


def nnx_module(
    factory: Callable[..., object], variables: PyTree, key: Array | None = None
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


Parts: TypeAlias = tuple[nnx.GraphDef[nnx.Module], nnx.State, nnx.State, nnx.State, nnx.State]
"""What an NNX module is: its graph, parameters, random streams, what it noted, all the rest."""


def _builder(factory: Callable[..., object]) -> Callable[[Array], nnx.Module]:
    by_name = _wants_rngs_by_name(factory)

    def build(key: Array) -> nnx.Module:
        rngs = nnx.Rngs(key)
        try:
            module = factory(rngs=rngs) if by_name else factory(rngs)
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"the model function fails when it is called with rngs: {error}; it must be a "
                f"function rngs -> NNX module; {wrapped()}"
            ) from error
        if not isinstance(module, nnx.Module):
            raise ModelError(
                f"the model function must return an NNX module, it returned {module!r}; for a "
                f"Linen module give the module itself; {wrapped()}"
            )
        return module

    return build


def _call(module: nn.Module | nnx.Module) -> Callable[..., PyTree]:
    return module.__call__  # type: ignore[attr-defined]


def _parts(module: nnx.Module) -> Parts:
    return cast(Parts, nnx.split(module, nnx.Param, nnx.RngState, nnx.Intermediate, ...))


def _wants_rngs_by_name(factory: Callable[..., object]) -> bool:
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
        raise ModelError(
            f"model function {name} needs {', '.join(needed)}; it must take rngs alone: "
            f"lambda rngs: {name}(..., rngs=rngs); {wrapped()}"
        )
    return "rngs" in parameters


def _reseeded(random: nnx.State, key: Array) -> nnx.State:
    """Every random stream of a module from `key`, each with its own; counts from 0."""
    leaves, structure = jax.tree.flatten(random)
    fresh = [
        jax.random.fold_in(key, number)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        else jnp.zeros(leaf.shape, leaf.dtype)
        for number, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, fresh)
