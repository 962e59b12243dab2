"""Task.objective: a function to minimize, without data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from lrlab.core.jax_settings import usual
from lrlab.core.memo import closure_of, kept_with
from lrlab.core.records import Direction
from lrlab.core.text import Table
from lrlab.tasks.labels import label
from lrlab.tasks.metrics import directed_all
from lrlab.tasks.shapes import as_held
from lrlab.types import Array, Params, PyTree, TaskFunctions, TaskParts


@usual()
def objective(
    name: str,
    init: Callable[[Array], Params],
    loss: Callable[[Params, Array], Array],
    expected: Callable[[Params], Array] | None,
    metrics: Mapping[str, tuple[Callable[[Params], Array], str]] | None,
    source: Table | None,
) -> TaskParts:
    """See `Task.objective`."""
    own = directed_all(metrics or {})
    params = _tried(name, "init", init, jax.eval_shape(lambda: jax.random.key(0)))
    for leaf in jax.tree.leaves(params):
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            raise ValueError(f"{name}: parameters must be floating, init gave dtype {leaf.dtype}")
    if not jax.tree.leaves(params):
        raise ValueError(f"{name}: init gave no parameters")
    key = jax.eval_shape(lambda: jax.random.key(0))
    _scalar(name, f"loss {label(loss)!r}", _tried(name, "loss", loss, params, key))
    if expected is not None:
        _scalar(name, "expected", _tried(name, "expected", expected, params))
    for metric, (function, _) in own.items():
        _scalar(name, f"metric {metric!r}", _tried(name, f"metric {metric!r}", function, params))
    directions: dict[str, Direction] = {metric: part[1] for metric, part in own.items()}
    return TaskParts(
        functions=objective_functions(
            init, loss, expected, tuple((metric, part[0]) for metric, part in own.items())
        ),
        data={},
        metrics={"loss": "min", **directions},
        source={"objective": label(loss)} if source is None else source,
    )


@kept_with(
    lambda init, loss, expected, metrics: closure_of(
        loss, init, expected, *(function for _, function in metrics)
    )
)
def objective_functions(
    init: Callable[[Array], Params],
    loss: Callable[[Params, Array], Array],
    expected: Callable[[Params], Array] | None,
    metrics: tuple[tuple[str, Callable[[Params], Array]], ...],
) -> TaskFunctions:
    """The engine's view of an objective; equal arguments give the same functions."""

    def start(key: Array, example: PyTree) -> tuple[Params, PyTree]:
        return jax.tree.map(jnp.asarray, init(key)), {}

    def train_loss(
        params: Params, state: PyTree, batch: PyTree, key: Array
    ) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
        return loss(params, key), (state, {})

    def evaluate(params: Params, state: PyTree, data: PyTree, key: Array) -> dict[str, Array]:
        value = loss(params, key) if expected is None else expected(params)
        return {"loss": value, **{name: function(params) for name, function in metrics}}

    return TaskFunctions(start, train_loss, evaluate)


def _tried(name: str, what: str, function: Callable[..., PyTree], *args: PyTree) -> PyTree:
    try:
        result = jax.eval_shape(lambda *values: jax.tree.map(jnp.asarray, function(*values)), *args)
        return jax.tree.map(as_held, result)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{name}: {what} fails: {error}") from error


def _scalar(name: str, what: str, value: PyTree) -> None:
    if getattr(value, "shape", None) != () or not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"{name}: {what} gave {value}, expected a floating scalar of shape ()")
