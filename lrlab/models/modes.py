"""How training and evaluation reach anyone's module, and a word where they do not.

Modules learn from an argument, or from a field, whether they train. Its name is the author's
choice: `MODES` has the usual ones. Under another name, or where it is not handed on to a layer,
dropout would stay off and batch statistics still, and nothing would look wrong: so the layers of
Flax are watched while a module is traced.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from flax.linen.module import InterceptorContext
from jax.interpreters import partial_eval

from lrlab.core.errors import FieldError
from lrlab.core.text import JsonObject, Table
from lrlab.types import Array, PyTree

MODES: dict[str, bool] = {
    "train": True,
    "training": True,
    "is_training": True,
    "deterministic": False,
    "use_running_average": False,
}
"""Name of an argument or a field -> its value in training; evaluation has the opposite."""


class ModelError(FieldError):
    """A network that cannot be trained as it is; the message says what to change."""

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(option, message)


class Flags(NamedTuple):
    """What a module's `__call__` takes beside its inputs.

    `required` and `optional`: the arguments of `MODES`, without and with a default (None is none).
    `unknown`: the default of every other argument.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    unknown: dict[str, object]


def flags(call: Callable[..., object], name: str) -> Flags:
    """The arguments of a bound `__call__`.

    Raises:
        ModelError: it takes no inputs, or needs arguments that lrlab does not give.

    >>> def call(x, deterministic, training=False, mask=None): ...
    >>> flags(call, "Net")
    Flags(required=('deterministic',), optional=('training',), unknown={'mask': None})
    """
    parameters = dict(inspect.signature(call).parameters)
    inputs = next(iter(parameters), None)
    if inputs is None:
        raise ModelError(f"{name} takes no inputs; lrlab calls model(x) or model(x, train=...)")
    named = {
        key: parameter
        for key, parameter in parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and key not in (inputs, "hyper")  # a lane's scalars, see `lrlab.core.hyper`
    }
    value = {key for key, p in named.items() if key in MODES and p.kind is not p.POSITIONAL_ONLY}
    needed = [key for key, p in named.items() if p.default is p.empty and key not in value]
    if needed:
        raise ModelError(
            f"{name} must be called with {', '.join(needed)}; lrlab calls model(x) or "
            f"model(x, train=...), and knows the mode as {', '.join(MODES)}: wrap the model, or "
            "give those arguments defaults"
        )
    undecided = tuple(
        key
        for key in named
        if key in value and named[key].default in (inspect.Parameter.empty, None)
    )
    return Flags(
        undecided,
        tuple(key for key in named if key in value and key not in undecided),
        {key: p.default for key, p in named.items() if key not in value},
    )


def in_mode(
    module: nn.Module, taken: Flags, train: bool, starting: bool = False
) -> tuple[nn.Module, JsonObject]:
    """A Linen module as it is called in a mode, and the arguments for it.

    A field of the module's own that is named in `MODES` is set. `starting`: for `init`, which says
    no more than it must, so that parameters are those of `module.init(key, x)`.
    """
    fields = {
        field.name: getattr(module, field.name)
        for field in dataclasses.fields(module)  # type: ignore[arg-type]
        if field.name in MODES and field.init
    }
    arguments = (*taken.required, *taken.optional) if not starting else taken.required
    # Where a module takes its mode in both ways, Flax's `merge_param` wants one of them.
    set_here: JsonObject = {
        key: MODES[key] == train
        for key, value in fields.items()
        if (isinstance(value, bool) and not starting)
        or (value is None and key not in (*taken.required, *taken.optional))
    }
    own = {key: MODES[key] == train for key in arguments if not isinstance(fields.get(key), bool)}
    return (module.clone(**set_here) if set_here else module), own


def placed(call: Callable[..., object], options: Table) -> tuple[tuple[object, ...], JsonObject]:
    """Keyword arguments of a bound `__call__` as (positional ones after the inputs, the rest):
    `nn.remat(..., static_argnums=(2,))` and its kind know arguments by their place only.

    >>> def call(x, train, scale=1.0, deterministic=True): ...
    >>> placed(call, {"deterministic": False, "train": True})
    ((True,), {'deterministic': False})
    """
    rest, first = dict(options), []
    for parameter in list(inspect.signature(call).parameters.values())[1:]:
        if parameter.name not in rest or parameter.kind is parameter.KEYWORD_ONLY:
            break
        first.append(rest.pop(parameter.name))
    return tuple(first), rest


Arguments = tuple[object, ...]
"""Those of a call that are given by place."""

Seen = dict[tuple[str, str], list[bool]]
"""(place, class) of every layer with modes -> for each of its calls, whether it was in training."""


def watching(seen: Seen) -> Callable[..., object]:
    """An interceptor for Linen that notes in `seen` how the layers of a module are called."""

    def note(
        call: Callable[..., object], args: Arguments, kwargs: Table, context: InterceptorContext
    ) -> object:
        layer = context.module
        trains = _trains(layer, args, kwargs) if context.method_name == "__call__" else None
        if trains is not None:
            place = ".".join(map(str, layer.path)) or type(layer).__name__
            seen.setdefault((place, type(layer).__name__), []).append(trains)
        return call(*args, **kwargs)

    return note


def check_seen(name: str, seen: Seen, train: bool) -> None:
    """Raises ModelError where a layer was never in training, or ever in evaluation."""
    for (place, kind), trained in seen.items():
        if train and not any(trained):
            raise ModelError(_off(name, place, kind))
        if not train and any(trained):
            raise ModelError(_on(name, place, kind))


def _trains(layer: nn.Module, args: Arguments, kwargs: Table) -> bool | None:
    """Whether a layer of Flax is called as in training; None where it has no modes."""
    if isinstance(layer, nn.Dropout):
        flag, counts = "deterministic", layer.rate
    elif isinstance(layer, nn.MultiHeadDotProductAttention):
        flag, counts = "deterministic", layer.dropout_rate
    elif isinstance(layer, nn.BatchNorm):
        flag, counts = "use_running_average", 1
    else:
        return None
    called = inspect.signature(type(layer).__call__).bind_partial(layer, *args, **kwargs).arguments
    value = called.get(flag)
    value = getattr(layer, flag) if value is None else value
    if not isinstance(value, (bool, np.bool_)) or (isinstance(counts, (int, float)) and not counts):
        return None
    return not value


def _off(name: str, place: str, kind: str) -> str:
    what = "uses its running averages" if kind == "BatchNorm" else "drops nothing"
    meant = "" if kind == "BatchNorm" else "set its rate to 0, or "
    return (
        f"{name}: training does not reach {kind} at {place}: it {what} in training either. lrlab "
        f"sets the arguments and fields of the model named {', '.join(MODES)}: give the model one "
        f"of these and hand it on to the layer. Where this is meant, {meant}wrap the model in "
        "lrlab.Model(init, apply)"
    )


def _on(name: str, place: str, kind: str) -> str:
    what = "uses the statistics of the batch" if kind == "BatchNorm" else "is random"
    return (
        f"{name}: evaluation does not reach {kind} at {place}: it {what} in evaluation too, so "
        f"that what is measured would depend on how examples are grouped. lrlab sets the arguments "
        f"and fields of the model named {', '.join(MODES)}: give the model one of these and hand "
        "it on to the layer"
    )


Before = tuple[tuple[str, str, Any, Array], ...]
"""(place, class, NNX variable, its value) of the layers of a module that was not called yet."""


def check_called(name: str, before: Before, train: bool) -> None:
    """Raises ModelError where a layer was not in the mode that it should be in."""
    for place, kind, variable, value in before:
        if (variable.get_raw_value() is not value) != train:
            raise ModelError((_off if train else _on)(name, place, kind))


# Arguments under other names


SPELLINGS = ("train", "training", "eval", "evaluation", "test", "inference", "predict", "valid")
"""What an argument that says the mode in words may have for a default."""


def others(default: object) -> tuple[bool | str, ...]:
    """Values to try in place of an unknown argument's default, if it could be a mode.

    >>> others(True), others("eval"), others("relu"), others(3)
    ((False,), ('train', 'training'), (), ())
    """
    if default is None:
        return (True, False)
    if isinstance(default, bool):
        return (not default,)
    if isinstance(default, str) and default.lower() in SPELLINGS:
        return tuple(word for word in ("train", "training") if word != default) + (
            ("eval",) if default.lower() in ("train", "training") else ()
        )
    return ()


def check_unknown(
    name: str, unknown: Mapping[str, object], trace: Callable[[Table], tuple[bool, ...]]
) -> None:
    """Whether an argument that lrlab does not set decides what happens in training only.

    Args:
        unknown: arguments and their defaults.
        trace: what training with these arguments draws and changes, as `effects` says it.

    Raises:
        ModelError: it does; names the argument.
    """
    usual: tuple[bool, ...] | None = None
    for key, default in unknown.items():
        for other in others(default):
            usual = trace({}) if usual is None else usual
            try:
                result = trace({key: other})
            except Exception:  # no mode then: the module refuses the value
                continue
            if result != usual:
                raise ModelError(
                    f"{name}: its argument {key} = {default!r} decides what is random or changes "
                    f"in training ({key} = {other!r} is different), but lrlab does not know it: "
                    f"name it train (or {', '.join(list(MODES)[1:])}), or wrap the model"
                )


def effects(
    function: Callable[[Array, PyTree], tuple[PyTree, PyTree]], key: Array, state: PyTree
) -> tuple[bool, ...]:
    """What `function(key, state) -> (outputs, state)` draws and changes: whether it depends on
    `key`, then for every array of the state that comes back whether it is another one. Nothing is
    computed."""
    program, (outputs, _) = jax.make_jaxpr(function, return_shape=True)(key, state)
    traced = program.jaxpr
    drawn = partial_eval.dce_jaxpr(traced, [True] * len(traced.outvars))[1][0]
    before = {id(v) for v in traced.invars}
    after = traced.outvars[len(jax.tree.leaves(outputs)) :]
    return drawn, *(id(v) not in before for v in after)
