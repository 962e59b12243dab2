"""Optimizers of one's own as the engine wants them: functions, and finished transformations.

Three kinds are taken:

- a function whose first parameter is named `learning_rate` (`optax.adamw`, or a `partial` of it):
  it gets the rate of the step, and by keyword the lane axes that it has parameters for;
- any other function: it gets `hyper`, a mapping of the lane's scalars (`hyper["lr"]` is the rate of
  the step, every lane axis is an entry of its own name);
- a finished transformation whose state holds its learning rate (`optax.inject_hyperparams`).

The transformation is built again at each step. Hyper-parameters that Optax keeps in the state
(`inject_hyperparams`) would stay those of step 0: at each step they become those that the function
was built with at that step, or, where it did not read them from `hyper`, the lane's of that name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeGuard, cast

import optax

from lrlab.core.errors import FieldError
from lrlab.core.hyper import Reads, Recording
from lrlab.core.synonyms import OPTIMIZER, did_you_mean
from lrlab.core.text import Table
from lrlab.optimizers.injected_hyperparams import RATE, current, of_this_step
from lrlab.optimizers.registry import hyperparameters
from lrlab.optimizers.states import effective_lr, evaluation_params, nodes
from lrlab.optimizers.transforms import with_extra_args
from lrlab.types import Hyper, Optimizer, Params, PyTree, Scalar

FORMS = (
    f"a function whose first parameter is named {RATE} gets the rate; any other function gets "
    'hyper, with hyper["lr"] and every lane axis by its name'
)

HYPER = "hyper"
"""The usual name of the first parameter of a function that gets all of a lane's scalars."""

Factory = Callable[..., optax.GradientTransformation]
"""A function that gives a transformation."""

UserOptimizer = Factory | optax.GradientTransformation


class Custom(NamedTuple):
    """`make` of a user's optimizer. Equal functions and arguments are equal, so that nothing
    compiles twice.

    `function`: a function or a finished transformation; `arguments`: keywords for it; `axes`: the
    lane axes that may be meant for it, those of its keywords and of the hyper-parameters in its
    state (a function of `hyper` may read any).
    """

    function: UserOptimizer
    arguments: tuple[tuple[str, Any], ...] = ()
    axes: tuple[str, ...] = ()

    def __call__(self, hyper: Hyper) -> optax.GradientTransformationExtraArgs:
        """The transformation of one lane at one step; see `built`."""
        return built(self, hyper, Reads(set()))


def engine_custom(
    optimizer: UserOptimizer | Optimizer,
    arguments: Table,
    axes: tuple[str, ...] = (),
) -> Optimizer:
    """A user's optimizer, or an `Optimizer` that is one already.

    Raises:
        FieldError: arguments that it does not take.
    """
    if not isinstance(optimizer, Optimizer):
        return Optimizer(custom(optimizer, arguments, axes), evaluation_params, effective_lr)
    for name in arguments:
        raise FieldError(
            f"optimizer.{name}", "this optimizer is made already, and takes no options any more"
        )
    return optimizer


def custom(
    function: UserOptimizer,
    arguments: Table | None = None,
    axes: tuple[str, ...] = (),
) -> Custom:
    """A user's optimizer; see the module's text for what may be handed over.

    Args:
        function: a function, or a finished transformation.
        arguments: keyword arguments for the function.
        axes: names of the lane axes that may be meant for it.

    Raises:
        FieldError: arguments that it does not take.

    >>> custom(optax.sgd, {"momentum": 0.9}).arguments
    (('momentum', 0.9),)
    """
    options = dict(arguments or {})
    takes = _keywords(function)
    for name in options:
        if finished(function):
            raise FieldError(
                f"optimizer.{name}", "a finished transformation takes no options any more"
            )
        if takes is not None and name not in takes:
            hint = did_you_mean(name, takes, OPTIMIZER, end=".")
            raise FieldError(
                f"optimizer.{name}",
                f"the optimizer's function has no keyword {name!r}{hint} "
                f"It takes: {', '.join(takes) or 'none'}",
            )
    frozen = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    return Custom(function, tuple(sorted(frozen.items())), tuple(axes))


def finished(optimizer: object) -> TypeGuard[optax.GradientTransformation]:
    """Whether this is a transformation, and no function that gives one."""
    return (
        hasattr(optimizer, "init")
        and hasattr(optimizer, "update")
        and not isinstance(optimizer, type)
    )


def built(one: Custom, hyper: Hyper, reads: Reads) -> optax.GradientTransformationExtraArgs:
    """The transformation of `one` for these hyper-parameters; `reads` notes what it looked up.

    Raises:
        FieldError: the function gave no transformation.
    """
    transformation = _called(one, hyper, reads)
    names = {"lr", *one.axes} - reads.names
    by_name = {name: hyper[name] for name in names if name in hyper}
    if not finished(transformation):
        raise FieldError(
            "optimizer",
            "must be a name, a transformation with its learning rate in its state "
            "(optax.inject_hyperparams), or a function that gives an optax transformation; this "
            f"function gave {transformation!r}",
        )
    inner = optax.with_extra_args_support(transformation)
    takes = _keywords(inner.update)

    def begin(params: Params, rate: Scalar) -> PyTree:
        return _called(one, {**hyper, "lr": rate}, reads).init(params)

    def now(state: PyTree, params: Params) -> PyTree:
        if not nodes(state, "hyperparams"):
            return state
        fresh = of_this_step(functools.partial(begin, params), hyper["lr"])
        state, used = current(state, fresh, by_name)
        reads.names.update(used)
        return state

    def init(params: Params) -> PyTree:
        return now(inner.init(params), params)

    def update(
        grads: Params, state: PyTree, params: Params | None = None, **extra: object
    ) -> tuple[Params, PyTree]:
        # `optax.contrib.sam` says that it takes further arguments, and takes none.
        taken = {key: extra[key] for key in extra if takes is None or key in takes}
        return inner.update(grads, now(state, params), params, **taken)

    return with_extra_args(init, update)


def _called(one: Custom, hyper: Hyper, reads: Reads) -> optax.GradientTransformation:
    if finished(one.function):
        return one.function
    function = cast(Factory, one.function)
    entries, arguments = Recording(hyper, reads), dict(one.arguments)
    if not takes_rate(function):
        return function(entries, **arguments)
    takes = _keywords(function)
    own = [name for name in one.axes if takes is None or name in takes]
    arguments |= {name: entries[name] for name in own if name in entries}
    first = next(iter(_parameters(function).values()))
    if first.kind is first.KEYWORD_ONLY:
        return function(**{RATE: entries["lr"]}, **arguments)
    return function(entries["lr"], **arguments)


def takes_rate(function: UserOptimizer) -> bool:
    """Whether a function wants the learning rate itself rather than `hyper`.

    >>> takes_rate(optax.adam), takes_rate(lambda hyper: optax.adam(hyper["lr"]))
    (True, False)
    """
    return next(iter(_parameters(function)), None) == RATE


def keywords(optimizer: str | UserOptimizer | Optimizer) -> tuple[str, ...]:
    """What a registered optimizer, or a user's function besides its first parameter, takes by
    keyword."""
    if isinstance(optimizer, str):
        return tuple(hyperparameters(optimizer))
    return () if isinstance(optimizer, Optimizer) else _keywords(optimizer) or ()


def _keywords(function: object) -> tuple[str, ...] | None:
    """What a function takes by keyword besides its first parameter; None: anything."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    rest = list(_parameters(function).values())[1:]
    if any(one.kind is one.VAR_KEYWORD for one in rest):
        return None
    return tuple(one.name for one in rest if one.kind in kinds)


def _parameters(function: object) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):  # not a function, or one that does not say
        return {}
