"""Optimizers by name: the transformation is built inside the step from traced hyper-parameters.

An optimizer's file holds `name(lr, *, hyper-parameters) -> optax.GradientTransformation`. To add
one: such a function and a line in `NAMES`. Weight decay, clipping, accumulation and averaging are
options of every optimizer (`lrlab.optimizers.options`). Importing this module imports no jax.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from lrlab.core import synonyms
from lrlab.core.errors import FieldError
from lrlab.core.registry import Registry
from lrlab.core.synonyms import OPTIMIZER, OPTIMIZER_NAME, Words
from lrlab.optimizers.kinds import (
    ALIASES,
    CONTROLLERS,
    COUPLED,
    LR_FREE,
    NEEDS,
    NO_MULTIPLIERS,
    ONE_BATCH,
    OPTIONS,
    OWN_ITERATES,
    REAL_ONLY,
)
from lrlab.optimizers.place import of_the_table
from lrlab.types import Hyper, Optimizer, Params, PyTree

NAMES: dict[str, str] = {
    "sgd": "lrlab.optimizers.sgd:sgd",
    "momentum": "lrlab.optimizers.sgd:momentum",
    "nesterov": "lrlab.optimizers.sgd:nesterov",
    "noisy_sgd": "lrlab.optimizers.sgd:noisy_sgd",
    "dpsgd": "lrlab.optimizers.sgd:dpsgd",
    "optimistic_gradient_descent": "lrlab.optimizers.sgd:optimistic_gradient_descent",
    "adam": "lrlab.optimizers.adam:adam",
    "adamw": "lrlab.optimizers.adam:adamw",
    "nadam": "lrlab.optimizers.adam:nadam",
    "nadamw": "lrlab.optimizers.adam:nadamw",
    "adamax": "lrlab.optimizers.adam:adamax",
    "adamaxw": "lrlab.optimizers.adam:adamaxw",
    "amsgrad": "lrlab.optimizers.adam:amsgrad",
    "radam": "lrlab.optimizers.adam:radam",
    "adabelief": "lrlab.optimizers.adam:adabelief",
    "yogi": "lrlab.optimizers.adam:yogi",
    "adan": "lrlab.optimizers.adam:adan",
    "acprop": "lrlab.optimizers.adam_variants:acprop",
    "ademamix": "lrlab.optimizers.adam_variants:ademamix",
    "simplified_ademamix": "lrlab.optimizers.adam_variants:simplified_ademamix",
    "adopt": "lrlab.optimizers.adam_variants:adopt",
    "optimistic_adam": "lrlab.optimizers.adam_variants:optimistic_adam",
    "novograd": "lrlab.optimizers.adam_variants:novograd",
    "sophia": "lrlab.optimizers.adam_variants:sophia",
    "adagrad": "lrlab.optimizers.adagrad:adagrad",
    "rmsprop": "lrlab.optimizers.adagrad:rmsprop",
    "adadelta": "lrlab.optimizers.adagrad:adadelta",
    "sm3": "lrlab.optimizers.adagrad:sm3",
    "rprop": "lrlab.optimizers.adagrad:rprop",
    "madgrad": "lrlab.optimizers.adagrad:madgrad",
    "lion": "lrlab.optimizers.sign:lion",
    "sign_sgd": "lrlab.optimizers.sign:sign_sgd",
    "signum": "lrlab.optimizers.sign:signum",
    "lamb": "lrlab.optimizers.layerwise:lamb",
    "lars": "lrlab.optimizers.layerwise:lars",
    "fromage": "lrlab.optimizers.layerwise:fromage",
    "adafactor": "lrlab.optimizers.layerwise:adafactor",
    "muon": "lrlab.optimizers.matrix:muon",
    "galore": "lrlab.optimizers.matrix:galore",
    "lbfgs": "lrlab.optimizers.matrix:lbfgs",
    "lookahead": "lrlab.optimizers.wrappers:lookahead",
    "sam": "lrlab.optimizers.wrappers:sam",
    "dadapt_sgd": "lrlab.optimizers.dadaptation:dadapt_sgd",
    "dadapt_adam": "lrlab.optimizers.dadaptation:dadapt_adam",
    "dadapt_lion": "lrlab.optimizers.dadaptation:dadapt_lion",
    "prodigy": "lrlab.optimizers.prodigy:prodigy",
    "dog": "lrlab.optimizers.dog:dog",
    "l_dog": "lrlab.optimizers.dog:l_dog",
    "dowg": "lrlab.optimizers.dog:dowg",
    "cocob": "lrlab.optimizers.cocob:cocob",
    "mechanic": "lrlab.optimizers.mechanic:mechanic",
    "momo": "lrlab.optimizers.momo:momo",
    "momo_adam": "lrlab.optimizers.momo:momo_adam",
    "schedule_free_sgd": "lrlab.optimizers.schedule_free:schedule_free_sgd",
    "schedule_free_adamw": "lrlab.optimizers.schedule_free:schedule_free_adamw",
    "schedule_free_radam": "lrlab.optimizers.schedule_free:schedule_free_radam",
    "adagrad_norm": "lrlab.optimizers.adagrad_norm:adagrad_norm",
    "reduce_on_plateau": "lrlab.optimizers.plateau:reduce_on_plateau",
    "polyak": "lrlab.optimizers.polyak:polyak",
    "sps": "lrlab.optimizers.polyak:sps",
    "armijo": "lrlab.optimizers.linesearch:armijo",
    "stochastic_line_search": "lrlab.optimizers.linesearch:stochastic_line_search",
    "zoom_line_search": "lrlab.optimizers.linesearch:zoom_line_search",
    "exact_line_search": "lrlab.optimizers.linesearch:exact_line_search",
    "bb1": "lrlab.optimizers.barzilai_borwein:bb1",
    "bb2": "lrlab.optimizers.barzilai_borwein:bb2",
    "hypergradient_sgd": "lrlab.optimizers.hypergradient:hypergradient_sgd",
    "hypergradient_nesterov": "lrlab.optimizers.hypergradient:hypergradient_nesterov",
    "hypergradient_adam": "lrlab.optimizers.hypergradient:hypergradient_adam",
    "greedy": "lrlab.optimizers.greedy:greedy",
}
"""Name -> "module:function"; the function takes `lr` and keyword-only hyper-parameters."""


class _Entry(NamedTuple):
    make: str
    defaults: dict[str, Any]
    parameters: None = None
    docstring: None = None


REGISTRY: Registry[_Entry] = Registry(
    "optimizer",
    {n: _Entry(p, {"decoupled": False} if n in COUPLED else {}) for n, p in NAMES.items()},
    1,
    OPTIONS,
    "hyper-parameter",
    ALIASES,
    OPTIMIZER_NAME,
    OPTIMIZER,
)


def names() -> list[str]:
    """Every registered name."""
    return list(NAMES)


def make(name: str, lr: Any = None, *, around: Any = None, **hyper: Any) -> Any:
    """The optimizer `name` as an `optax.GradientTransformationExtraArgs`.

    All are called alike: `update(grads, state, params, value=loss, grad=grads, value_fn=function)`,
    where `function(params)` is the loss of the same batch; what a method does not need
    (`kinds.NEEDS` says who needs what) may be left out.

    Args:
        name: a key of `NAMES`, or Optax's name for it (`ALIASES`).
        lr: the learning rate: a float, a traced scalar, or a function `step -> learning rate` (one
            of `lrlab.schedules` or of Optax). May be left out where `default_lr(name)` is one.
        around: `around(transformation, lr, own hyper-parameters) -> transformation`, put around
            the optimizer itself, inside its options (clipping, decay, averages).
        hyper: hyper-parameters and options, see `hyperparameters(name)`; floats may be traced.

    Raises:
        ValueError: unknown name or hyper-parameter, or no `lr` where one is needed; from its
            `update`, where something that the method needs was not given.

    >>> import jax.numpy as jnp
    >>> optimizer = make("adamw", lr=0.1, weight_decay=0.0)
    >>> updates, _ = optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)), jnp.ones(2))
    >>> [round(float(value), 4) for value in updates]
    [-0.1, -0.1]
    """
    from lrlab.optimizers.options import build, scheduled
    from lrlab.optimizers.states import called_alike, real_only

    values = _checked(name, hyper)
    function = _function(name)
    if lr is None:
        lr = default_lr(name)
        if lr is None:
            raise FieldError(
                "lr", f"optimizer {name!r} needs a learning rate: make({name!r}, lr=...)"
            )
    if callable(lr):
        made: Any = scheduled(lambda rate: build(function, rate, values, around), lr)
    else:
        made = build(function, lr, values, around)
    if registered(name) in REAL_ONLY:
        made = real_only(made, name)
    return called_alike(made, name, NEEDS.get(registered(name), ()))


def engine_optimizer(name: str, *, around: Any = None, **arguments: Any) -> Optimizer:
    """The optimizer as the engine wants it; equal arguments (`around` by identity, see `make`) give
    the same object.

    Its `make(hyper)` builds the transformation from `hyper["lr"]`; entries of `hyper` named like
    hyper-parameters (lane axes) take the place of `arguments`. A multiplier that is a word is the
    entry of `hyper` of that name. Further entries are not looked at.

    Raises:
        FieldError: unknown name or hyper-parameter, at `optimizer`.

    >>> engine_optimizer("adam", b1=0.8) is engine_optimizer("adam", b1=0.8)
    True
    """
    with of_the_table():
        _checked(name, arguments)
    return _engine_optimizer(name, tuple(sorted(_frozen(arguments).items())), around)


@functools.lru_cache(maxsize=256)
def _engine_optimizer(
    name: str, arguments: tuple[tuple[str, Any], ...], around: Any = None
) -> Optimizer:
    from lrlab.optimizers import groups

    known = hyperparameters(name)

    def make_from(hyper: Hyper) -> Any:
        values = dict(arguments) | {key: hyper[key] for key in known if key in hyper}
        if values.get("multipliers"):
            values["multipliers"] = groups.resolved(values["multipliers"], hyper)
        with of_the_table():
            return make(name, hyper.get("lr"), around=around, **values)

    return Optimizer(make_from, evaluation_params, effective_lr, _dynamics(name, arguments))


def _dynamics(name: str, arguments: tuple[tuple[str, Any], ...]) -> Any:
    from lrlab.optimizers.dynamics import dynamics

    if dict(arguments).get("multipliers"):  # its thresholds are for one learning rate
        return None
    return dynamics(name, {**hyperparameters(name), **dict(arguments)})


def hyperparameters(name: str) -> dict[str, Any]:
    """The hyper-parameters and options of an optimizer and their defaults, without importing jax.

    Those whose default is a float (or None, for `clip_norm` and `ema`) may be lane axes; bools,
    whole numbers, words and tuples shape the program.

    >>> hyperparameters("adamw")["weight_decay"], hyperparameters("momentum")["momentum"]
    (0.0001, 0.9)
    """
    own = dict(_signature(_entry(name))) | ALIASES.get(name, ("", {}))[1]
    return {**own, **{k: v for k, v in _options(name).items() if k not in own}}


def default_lr(name: str) -> float | None:
    """The learning rate that a method has unless one is given; None where one must be given. Found
    without importing jax.

    >>> default_lr("prodigy"), default_lr("schedule_free_adamw"), default_lr("adam")
    (1.0, 0.0025, None)
    """
    module, function = _entry(name).split(":")
    given = _functions(module)[function].args.defaults
    return float(ast.literal_eval(given[0])) if given else None


def grouped(optimizer: Optimizer, groups: Mapping[str, str]) -> Optimizer:
    """One learning rate per parameter group; see `lrlab.optimizers.groups.grouped`."""
    from lrlab.optimizers.groups import grouped as build

    return build(optimizer, tuple(groups.items()))


def with_multipliers(optimizer: Optimizer, multipliers: Mapping[str, Any]) -> Optimizer:
    """Multiples of the learning rate by parameter; see `lrlab.optimizers.groups`."""
    from lrlab.optimizers.groups import with_multipliers as build

    return build(optimizer, tuple(multipliers.items()))


def check_multipliers(patterns: Iterable[str], params: Params) -> None:
    """Whether patterns fit parameters; see `lrlab.optimizers.groups.check_multipliers`."""
    from lrlab.optimizers.groups import check_multipliers as check

    check(tuple(patterns), params)


def evaluation_params(opt_state: PyTree, params: Params) -> Params:
    """The parameters to evaluate: averages where the state holds some, else `params`."""
    from lrlab.optimizers.states import evaluation_params as read

    return read(opt_state, params)


def effective_lr(opt_state: PyTree) -> Any:
    """The step size that an adaptive method used last, a scalar; None where it records none."""
    from lrlab.optimizers.states import effective_lr as read

    return read(opt_state)


def describe(name: str) -> str:
    """The docstring of an optimizer: formula, units, source, example."""
    return (_function(name).__doc__ or "").strip()


def _options(name: str) -> dict[str, Any]:
    return {**OPTIONS, "decoupled": registered(name) not in COUPLED}


def registered(name: str) -> str:
    """The key of `NAMES` that `name` stands for.

    >>> registered("mechanize"), registered("adam")
    ('mechanic', 'adam')
    """
    return ALIASES[name][0] if name in ALIASES else name


def _checked(name: str, hyper: Mapping[str, Any]) -> dict[str, Any]:
    """Every hyper-parameter by name, defaults filled in.

    Raises:
        ValueError: unknown name, unknown hyper-parameter, or a traced value where the default
            shapes the program.
    """
    known = hyperparameters(name)
    for key, value in hyper.items():
        if key not in known:
            hint = did_you_mean(key, known)
            raise FieldError(
                key,
                f"optimizer {name!r} has no hyper-parameter {key!r}{hint} "
                f"It has: {', '.join(known)}",
            )
        if isinstance(known[key], (bool, int, str, tuple)) and hasattr(value, "aval"):
            raise FieldError(
                key,
                f"optimizer {name!r}: {key!r} shapes the compiled program and cannot be a lane "
                f"axis; compare its values as groups",
            )
    lost = []
    if registered(name) in NO_MULTIPLIERS and hyper.get("multipliers"):
        lost.append("multipliers")
    if registered(name) in OWN_ITERATES and hyper.get("decoupled") and hyper.get("weight_decay"):
        lost += [] if "weight_decay" in dict(_signature(_entry(name))) else ["decoupled"]
    if lost:
        raise FieldError(
            lost[0],
            f"optimizer {name!r} sets the parameters from sums of its own, so that {lost[0]!r} "
            "would be lost: use decoupled = False for weight decay, groups for multipliers",
        )
    if registered(name) in ONE_BATCH and hyper.get("accumulate", 1) != 1:
        raise FieldError(
            "accumulate",
            f"optimizer {name!r} calls the loss of one batch and cannot accumulate gradients over "
            "several; use a larger batch",
        )
    return {**known, **hyper}


def did_you_mean(name: Any, known: Iterable[str], words: Words = OPTIMIZER) -> str:
    """The end of a sentence about an unknown name: what may have been meant, or a point.

    >>> did_you_mean("betas", ["b1", "b2"]), did_you_mean("x", ["b1"])
    ("; did you mean 'b1', 'b2'? betas is written b1, b2 here.", '.')
    """
    return synonyms.did_you_mean(name, known, words, end=".")


def _entry(name: str) -> str:
    if registered(name) not in NAMES:
        hint = did_you_mean(name, [*NAMES, *ALIASES], OPTIMIZER_NAME)
        raise FieldError("name", f"there is no optimizer {name!r}{hint} Known: {', '.join(NAMES)}")
    return NAMES[registered(name)]


@functools.lru_cache(maxsize=256)
def _function(name: str) -> Callable[..., Any]:
    module, function = _entry(name).split(":")
    return getattr(importlib.import_module(module), function)


@functools.lru_cache(maxsize=256)
def _signature(entry: str) -> tuple[tuple[str, Any], ...]:
    """Keyword-only parameters and defaults of "module:function", read from the source text."""
    module, function = entry.split(":")
    node = _functions(module)[function]
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return tuple((a.arg, ast.literal_eval(d)) for a, d in pairs if d is not None)


@functools.lru_cache(maxsize=64)
def _functions(module: str) -> dict[str, ast.FunctionDef]:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"the registry names a module {module!r} that is not there")
    with open(spec.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _frozen(arguments: Mapping[str, Any]) -> dict[str, Any]:
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    return {k: tuple(v.items()) if isinstance(v, Mapping) else v for k, v in plain.items()}
