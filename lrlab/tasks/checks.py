"""A task's functions against what the engine expects of them, by shapes alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lrlab.tasks.shapes import same_state, struct
from lrlab.tasks.task import Task


def check_functions(task: Task) -> None:
    """Traces init, loss and evaluation without computing.

    Raises:
        ValueError: the loss is no floating scalar, state or metrics are not as promised.
    """
    functions, name = task.functions, task.name
    key = jax.eval_shape(lambda: jax.random.key(0))
    example = jax.tree.map(lambda leaf: struct(leaf, 1), task.data.get("train"))
    params, state = jax.eval_shape(functions.init, key, example)
    batch = jax.tree.map(struct, task.data.get("train"))
    loss, (after, extra) = jax.eval_shape(functions.loss, params, state, batch, key)
    _scalar(name, "the loss", loss)
    for metric, value in extra.items():
        _scalar(name, f"metric {metric!r}", value)
    same_state(name, state, after)
    for split in task.splits:
        data = jax.tree.map(lambda leaf: struct(leaf, len(leaf)), task.data.get(split))
        values = jax.eval_shape(functions.evaluate, params, state, data, key)
        if set(values) != set(task.metrics):
            raise ValueError(
                f"{name}: evaluation gives {sorted(values)}, expected {sorted(task.metrics)}"
            )
        for metric, value in values.items():
            _scalar(name, f"{split}_{metric}", value)


def _scalar(name: str, what: str, value: jax.ShapeDtypeStruct) -> None:
    if value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"{name}: {what} is {value}, expected a floating scalar of shape ()")
