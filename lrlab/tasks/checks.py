"""A task's functions against what the engine expects of them, by shapes alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lrlab.core.hyper import any_hyper
from lrlab.tasks.shapes import same_state, struct
from lrlab.tasks.task import Task
from lrlab.types import LaneContext, PyTree, TaskFunctions


def check_functions(task: Task) -> None:
    """Traces init, loss and evaluation without computing. Those of `Task.custom` and `Task.step`
    are traced where the lane axes are known (`lrlab.training.task_trace`).

    Raises:
        ValueError: the loss is no floating scalar, state or metrics are not as promised.
    """
    if task.functions.own:
        return
    name, scalar = task.name, jax.ShapeDtypeStruct((), jnp.float32)
    tried = task.functions

    def functions(value: jax.Array) -> TaskFunctions:
        """As of a lane of which nothing is known yet."""
        return tried if tried.bind is None else tried.bind(LaneContext(any_hyper(value)))

    key = jax.eval_shape(lambda: jax.random.key(0))
    example = jax.tree.map(lambda leaf: struct(leaf, 1), task.data.get("train"))
    params, state = jax.eval_shape(
        lambda value, *given: functions(value).init(*given), scalar, key, example
    )
    batch = jax.tree.map(struct, task.data.get("train"))
    loss, (after, extra) = jax.eval_shape(
        lambda value, *given: functions(value).loss(*given), scalar, params, state, batch, key
    )
    _scalar(name, "the loss", loss)
    for metric, value in extra.items():
        _scalar(name, f"metric {metric!r}", value)
    same_state(name, state, after)
    for split in task.splits:
        data = jax.tree.map(lambda leaf: struct(leaf, len(leaf)), task.data.get(split))

        def evaluated(value: jax.Array, *given: PyTree) -> dict[str, jax.Array]:
            evaluate = functions(value).evaluate
            assert evaluate is not None, "no split is evaluated where nothing is"
            return evaluate(*given)

        values = jax.eval_shape(evaluated, scalar, params, state, data, key)
        if set(values) != set(task.metrics):
            raise ValueError(
                f"{name}: evaluation gives {sorted(values)}, expected {sorted(task.metrics)}"
            )
        for metric, value in values.items():
            _scalar(name, f"{split}_{metric}", value)


def _scalar(name: str, what: str, value: jax.ShapeDtypeStruct) -> None:
    if value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"{name}: {what} is {value}, expected a floating scalar of shape ()")
