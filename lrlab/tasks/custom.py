"""Task.custom: a loss of one's own on parameters of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError, within
from lrlab.core.hyper import with_hyper
from lrlab.core.jax_settings import usual
from lrlab.core.memo import closure_of, kept_with
from lrlab.core.text import JsonObject, Table
from lrlab.core.user_code import fault
from lrlab.data.dataset import digest
from lrlab.tasks.flat_state import arrays_of
from lrlab.tasks.functions import computed_in
from lrlab.tasks.given import fitted
from lrlab.tasks.labels import label
from lrlab.tasks.own_data import check_callable, check_takes, described, directions_of, splits_of
from lrlab.tasks.parts import Totals, checked_totals, means_of, over_parts, scalar, scalars
from lrlab.tasks.shapes import struct
from lrlab.tasks.streams import settled
from lrlab.tasks.trainable import trainable_of
from lrlab.tasks.values import count_of
from lrlab.tasks.weights import weights_of
from lrlab.types import Array, LaneContext, Params, PyTree, TaskFunctions, TaskParts


class Custom(NamedTuple):
    """The user's functions, see `Task.custom`. Hashable. `evaluated`: whether anything is."""

    init: Callable[..., PyTree]
    loss: Callable[..., PyTree]
    evaluate: Callable[..., PyTree] | None
    stateful: bool
    evaluated: bool
    trains: Callable[[Params], PyTree] | None = None


@usual()
def custom(
    name: str,
    init: Callable[..., PyTree],
    loss: Callable[..., PyTree],
    train: PyTree,
    valid: PyTree,
    test: PyTree,
    evaluate: Callable[..., PyTree] | None,
    stateful: bool,
    metrics: Mapping[str, str] | None,
    params: PyTree,
    trainable: Sequence[str] | str | None,
    source: Table | None,
) -> TaskParts:
    """See `Task.custom`."""
    check_callable(name, init=init, loss=loss)
    check_callable(name, optional=True, evaluate=evaluate)
    check_takes(name, "init", init, ("key", "example"), scalars=False)
    held = ("params", "state") if stateful else ("params",)
    check_takes(name, "loss", loss, (*held, "batch", "key"), scalars=True)
    if evaluate is not None:
        taken = ("params", "state", "batch", "key")
        check_takes(name, "evaluate", evaluate, taken, scalars=True)
    with within("task", "data"):
        data = splits_of(name, {"train": train, "valid": valid, "test": test})
    held_out = any(split != "train" for split in data)
    given = Custom(init, loss, evaluate, stateful, held_out or not data or evaluate is not None)
    drawn = _drawn(name, given, data.get("train"))
    with within("task"):
        trains = trainable_of(trainable, drawn)
        weights = weights_of(params)
        whose = f"{name}, {weights.place}" if weights.place else name
        start = None if weights.tree is None else fitted(whose, weights.tree, {"params": drawn})
    record: JsonObject = {"init": label(init), "loss": label(loss), "data": described(data)}
    record = record if source is None else dict(source)
    if start is not None:
        left = {"left_out": list(weights.left_out)} if weights.left_out else {}
        record["params"] = {"sha256": digest(jax.tree.leaves(start)), **left}
    if trains is not None:
        record["trainable"] = list(trains.patterns)
    functions = custom_functions(given._replace(trains=trains))
    with within("task", "data"):
        data = settled(name, data, functions)
    return TaskParts(
        functions=functions,
        data=data,
        metrics={"loss": "min", **directions_of(name, metrics)},
        source=record,
        params=start,
    )


def _drawn(name: str, given: Custom, train: PyTree) -> Params:
    """Shapes and dtypes of what `init` draws; nothing is computed.

    Raises:
        FieldError: it fails, or gives no floating parameters.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    example = jax.tree.map(lambda leaf: struct(leaf, 1), train)
    try:
        # A function of its own, whose trace JAX does not keep.
        params, _ = jax.eval_shape(lambda *args: _started(given, *args), key, example)
    except FieldError as error:
        raise error.reworded(f"{name}: {error}") from error
    except Exception as error:
        raise FieldError("task", f"{name}: {fault('init', error)}") from error
    leaves = jax.tree_util.tree_leaves_with_path(params)
    if not leaves:
        raise FieldError("task", f"{name}: init gave no parameters")
    for path, leaf in leaves:
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            place = jax.tree_util.keystr(path, simple=True, separator="/")
            raise FieldError(
                "task",
                f"{name}: parameters must be floating, and init gave {leaf.dtype} at {place}; what "
                "is not trained by gradients is state: stateful=True, init -> (params, state)",
            )
    return params


def _started(given: Custom, key: Array, example: PyTree) -> tuple[Params, PyTree]:
    """(parameters, state) as arrays."""
    drawn = given.init(key, example)
    if not given.stateful:
        return jax.tree.map(jnp.asarray, drawn), ()
    if not isinstance(drawn, tuple) or len(drawn) != 2:
        kind = type(drawn).__name__
        raise FieldError("task", f"init gave {kind}, expected (params, state): stateful=True")
    return jax.tree.map(jnp.asarray, drawn[0]), jax.tree.map(jnp.asarray, drawn[1])


@kept_with(lambda given: closure_of(given.loss, given.init, given.evaluate or given.loss))
def custom_functions(given: Custom) -> TaskFunctions:
    """The engine's view; equal arguments give the same functions, compiled once."""

    def bind(context: LaneContext) -> TaskFunctions:
        return _of_lane(given, context)

    return _of_lane(given, LaneContext({}))._replace(bind=bind)


def _of_lane(given: Custom, context: LaneContext) -> TaskFunctions:
    """The functions of a lane, closed over its scalars."""
    loss_of = with_hyper(given.loss, context.hyper)
    own = None if given.evaluate is None else with_hyper(given.evaluate, context.hyper)

    def init(key: Array, example: PyTree) -> tuple[Params, PyTree]:
        return _started(given, key, example)

    def loss(
        params: Params, state: PyTree, batch: PyTree, key: Array
    ) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
        dtype = dtype_of(params)
        weights, batch = computed_in(context.compute, (params, batch))
        returned = (
            loss_of(weights, state, batch, key) if given.stateful else loss_of(weights, batch, key)
        )
        value, after, metrics = parted(returned, state, given.stateful)
        if "loss" in metrics:
            raise FieldError(
                "task",
                "the loss gave a metric named 'loss' beside its value, which has that name; give "
                "it another",
            )
        after = arrays_of("the state that the loss gave", after)
        # A function of the user's may compute in a shorter dtype than the run's.
        return differentiable(value, dtype), (
            after,
            scalars("the loss", metrics, dtype),
        )

    def part(params: Params, state: PyTree, batch: PyTree, key: Array) -> Totals:
        dtype = dtype_of(params)
        if own is not None:
            weights, batch = computed_in(context.compute, (params, batch))
            return checked_totals("evaluate", own(weights, state, batch, key), dtype)
        value, (_, metrics) = loss(params, state, batch, key)
        count = jnp.asarray(1 if batch is None else count_of(batch), dtype)
        means = {"loss": value, **metrics}
        return {name: mean * count for name, mean in means.items()}, dict.fromkeys(means, count)

    def totals(params: Params, state: PyTree, data: PyTree, key: Array) -> Totals:
        data = jax.tree.map(jnp.asarray, data)
        measure = lambda rows, key: part(params, state, rows, key)  # noqa: E731
        return over_parts(measure, data, context.batch_size, key, context.first)

    def evaluate(params: Params, state: PyTree, data: PyTree, key: Array) -> dict[str, Array]:
        return means_of(totals(params, state, data, key))

    return TaskFunctions(
        init,
        loss,
        evaluate if given.evaluated else None,
        part=totals if given.evaluated else None,
        trains=given.trains,
        own=True,
    )


def differentiable(value: PyTree, dtype: str) -> Array:
    """A loss's value as a scalar of `dtype`.

    Raises:
        FieldError: it is none, or of a dtype that has no gradient.

    >>> differentiable(jnp.float32(2), "float32").item()
    2.0
    """
    result = scalar("the loss gave its value", value, dtype)
    if not jnp.issubdtype(given := jnp.asarray(value).dtype, jnp.floating):
        raise FieldError(
            "task",
            f"the loss gave its value as {given}, which has no gradient: nothing would train. "
            "Counts and comparisons are metrics; give a floating number that follows smoothly "
            "from the parameters",
        )
    return result


def parted(returned: PyTree, state: PyTree, stateful: bool) -> tuple[PyTree, PyTree, PyTree]:
    """(value, state, metrics) of what a loss gave.

    Raises:
        FieldError: another form than the task's kind has.

    >>> parted((1.0, {"mse": 2.0}), (), False)
    (1.0, (), {'mse': 2.0})
    """
    form = "(value, (state, metrics))" if stateful else "value, or (value, metrics)"
    pair = isinstance(returned, tuple)
    if (pair and len(returned) != 2) or (stateful and not pair):
        kind = f"a tuple of {len(returned)}" if pair else type(returned).__name__
        raise FieldError("task", f"the loss gave {kind}, expected {form}")
    if not stateful:
        value, metrics = returned if pair else (returned, {})
        return value, state, metrics
    value, rest = returned
    if not isinstance(rest, tuple) or len(rest) != 2:
        raise FieldError("task", f"the loss gave {type(rest).__name__} beside its value, {form}")
    return value, *rest


def dtype_of(params: Params) -> str:
    """The dtype that losses and metrics are recorded in: that of the real parameters, float32 where
    they are shorter.

    >>> import numpy as np
    >>> dtype_of({"w": np.zeros(2, np.float64)}), dtype_of({"w": jnp.zeros(2, jnp.bfloat16)})
    ('float64', 'float32')
    """
    dtypes = [leaf.real.dtype for leaf in jax.tree.leaves(params)]
    return "float64" if any(dtype == jnp.float64 for dtype in dtypes) else "float32"
