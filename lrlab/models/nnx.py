"""Functions that make an NNX module as pure functions of its arrays."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import TypeAlias, cast

import jax
import jax.numpy as jnp
from flax import nnx

from lrlab.core.hyper import takes_hyper
from lrlab.core.text import Table
from lrlab.models.calls import Call, call_of, with_lane
from lrlab.models.collections import updated
from lrlab.models.foreign import wrapped
from lrlab.models.modes import MODES, Before, ModelError, check_called, flags
from lrlab.types import Array, Model, PyTree


def nnx_model(factory: Callable[..., object]) -> Model:
    """The modules that `factory` makes as a `Model`."""
    build = builder(factory)

    def init(key: Array, x: Array) -> PyTree:
        _, params, _, _, rest = _parts(build(key))
        variables = {"params": nnx.to_pure_dict(params)}
        rest = nnx.to_pure_dict(rest)
        return {**variables, "state": rest} if jax.tree.leaves(rest) else variables

    call = nnx_call(factory)
    if _takes(factory):
        return with_lane(lambda key, x, hyper: init(key, x), call, None)
    return Model(init, call)


def _takes(factory: Callable[..., object]) -> bool:
    if isinstance(factory, type):
        return takes_hyper(factory.__call__)
    try:
        return takes_hyper(call_of(abstract(factory)))
    except Exception:  # whoever calls `init` sees it, and can say where it comes from
        return False


def nnx_call(factory: Callable[..., object]) -> Call:
    """How the modules that `factory` makes are called."""

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
        name, call = type(module).__name__, call_of(module)
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
    # Shapes only: the graph is a constant of the factory and every array is put in below.
    graph, params, random, seen, rest = _parts(abstract(factory))
    nnx.replace_by_pure_dict(params, variables["params"])
    if "state" in variables:
        nnx.replace_by_pure_dict(rest, variables["state"])
    key = jax.random.key(0) if key is None else key
    return nnx.merge(graph, params, _reseeded(random, key), seen, rest)


Parts: TypeAlias = tuple[nnx.GraphDef[nnx.Module], nnx.State, nnx.State, nnx.State, nnx.State]
"""What an NNX module is: its graph, parameters, random streams, what it noted, all the rest."""


def abstract(factory: Callable[..., object]) -> nnx.Module:
    """The module that `factory` makes, with shapes for arrays. Raises as `builder` does."""
    build = builder(factory)
    return nnx.eval_shape(lambda: build(jax.random.key(0)))


def builder(factory: Callable[..., object]) -> Callable[[Array], nnx.Module]:
    """`key -> module`. Raises ModelError, from its call too, where `factory` makes none."""
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


def set_mode(module: nnx.Module, train: bool) -> None:
    """`module.train()` or `module.eval()`, and what else is named in `MODES` on any submodule."""
    module.train() if train else module.eval()
    for _, part in nnx.iter_modules(module):
        for key, value in vars(part).items():
            if key in MODES and isinstance(value, bool):
                setattr(part, key, MODES[key] == train)


def layers(module: nnx.Module) -> Iterator[tuple[str, str, nnx.Variable[Array]]]:
    """(place, class, variable) of every layer with modes; a call in training changes the variable:
    the count of a random stream, or a running mean."""
    for path, part in nnx.iter_modules(module):
        place = ".".join(map(str, path)) or type(part).__name__
        if isinstance(part, nnx.BatchNorm):
            yield place, "BatchNorm", part.mean
        rate = {nnx.Dropout: "rate", nnx.MultiHeadAttention: "dropout_rate"}
        for kind, field in rate.items():
            stream = getattr(part, "rngs", None)
            if isinstance(part, kind) and getattr(part, field) and stream is not None:
                yield place, kind.__name__, stream.count


def before_call(module: nnx.Module) -> Before:
    """What `check_called` compares with."""
    return tuple((*layer, layer[-1].get_raw_value()) for layer in layers(module))
