"""What a user's optimizer reads from `hyper`, and what is wrong with it, before it compiles."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from lrlab.core.errors import FieldError
from lrlab.core.hyper import Missing, Reads
from lrlab.core.synonyms import OPTIMIZER, did_you_mean
from lrlab.core.user_code import fault
from lrlab.optimizers.custom import FORMS, Custom, built, finished
from lrlab.optimizers.injected_hyperparams import RATE, follows_its_own, holds_rate
from lrlab.types import Hyper, Params, PyTree


def axes_read(
    make: Callable[[Hyper], optax.GradientTransformation],
    params: Params,
    names: tuple[str, ...],
    dtype: str,
) -> frozenset[str]:
    """The lane axes among `names` that a user's optimizer reads, found by tracing one update.

    Args:
        make: `Optimizer.make`, a `Custom` or any function of `hyper`.
        params: the parameters' shapes and dtypes.
        names: the entries of `hyper`, `lr` among them.
        dtype: theirs.

    Raises:
        FieldError: it reads an entry that there is not, decides in Python on a traced value, gives
            no transformation, has a learning rate that cannot be set, or fails otherwise.
    """
    one = make if isinstance(make, Custom) else Custom(make)
    reads = Reads(set())

    def once(params: Params, hyper: Hyper) -> PyTree:
        transformation = built(one, hyper, reads)
        state = transformation.init(params)
        _settable(one, state)
        value_fn = lambda tree: sum(jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree))  # noqa: E731
        value = jnp.asarray(value_fn(params), dtype)
        transformation.update(params, state, params, value=value, grad=params, value_fn=value_fn)
        return state

    hyper = {name: jax.ShapeDtypeStruct((), dtype) for name in names}
    try:
        jax.eval_shape(once, params, hyper)
    except Exception as error:
        if isinstance(error, FieldError) and error.path[:1] == ("optimizer",):
            raise  # ours; another is what the user's function met
        raise FieldError("optimizer", _said(error, names)) from error
    return frozenset(reads.names)


def _settable(one: Custom, state: PyTree) -> None:
    if not finished(one.function):
        return
    if follows_its_own(state):
        raise FieldError(
            "optimizer",
            "is a finished optax transformation whose learning rate follows a schedule of its own; "
            f"give it a number ({RATE}=1e-3), and the schedule to lrlab: schedule=...",
        )
    if not holds_rate(state):
        raise FieldError(
            "optimizer",
            "is a finished optax transformation, whose learning rate cannot be changed any more; "
            'give the function that makes it: optimizer=lambda hyper: optax.adam(hyper["lr"]), or '
            f"one that keeps it in its state: optax.inject_hyperparams(optax.adam)({RATE}=1e-3)",
        )


def _said(error: Exception, names: tuple[str, ...]) -> str:
    """What a user's function did wrong, in a sentence."""
    if isinstance(error, Missing):
        hint = did_you_mean(error.key, names, OPTIMIZER, end=".")
        return (
            f"the optimizer reads hyper[{error.key!r}], which there is not{hint} There are: "
            f"{', '.join(names)}; every lane axis is an entry of its own"
        )
    return f"{fault('the optimizer', error)} ({FORMS})"
