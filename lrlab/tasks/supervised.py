"""Task.supervised: data, model, loss and metrics are brought together and checked."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np

from lrlab.aligned import aligned
from lrlab.data.checks import numbers, same_length
from lrlab.data.dataset import DataError, digest
from lrlab.models import as_model
from lrlab.settings import usual
from lrlab.tasks.functions import supervised_functions
from lrlab.tasks.losses import (
    LOSSES,
    METRICS,
    PerExample,
    binary_accuracy,
    label,
    loss_values,
    metric_values,
    sigmoid_binary_cross_entropy,
    softmax_cross_entropy,
)
from lrlab.tasks.task import Pair, Task
from lrlab.types import Array, Model

EXAMPLES = 7
"""The batch that shapes are tried with: unlike 1, it shows a broadcast, and is rarely a size."""


@usual()
def supervised(
    name: str,
    model: Any,
    loss: str | PerExample,
    train: Pair,
    valid: Pair,
    test: Pair | None,
    metrics: Sequence[str] | Mapping[str, Any] | None,
    source: Mapping[str, Any] | None,
    options: Mapping[str, Any] | None,
) -> Task:
    """See `Task.supervised`."""
    given = {"train": train, "valid": valid, "test": test}
    data = {
        split: arrays(pair, f"{name}, {split}") for split, pair in given.items() if pair is not None
    }
    for split in ("train", "valid"):
        if split not in data:
            raise DataError(f"{name}: {split} must be a pair (inputs, targets), got {given[split]}")
    shapes = {split: _item_shapes(pair) for split, pair in data.items()}
    for split, shape in shapes.items():
        if shape != shapes["train"]:
            raise DataError(
                f"{name}: an example of {split} has shapes {shape}, of train {shapes['train']}"
            )
    function = loss_function(loss)
    network = as_model(model)
    outputs = output_shape(name, network, data["train"])
    if function is softmax_cross_entropy:
        _check_labels(name, data, outputs.shape[-1] if outputs.ndim > 1 else None)
    if function is sigmoid_binary_cross_entropy:
        _check_labels(name, data, 2)
    chosen = metric_functions(metrics, function, outputs, data["train"][1])
    _check_values(name, label(loss), function, chosen, outputs, data["train"][1])
    pairs = tuple((metric, part[0]) for metric, part in chosen.items())
    described = {
        "model": repr(model) if not isinstance(model, Model) else "Model(init, apply)",
        "loss": label(loss),
        "data": {
            "sha256": {split: digest(jax.tree.leaves(pair)) for split, pair in data.items()},
            "shapes": {s: [list(np.shape(a)) for a in jax.tree.leaves(p)] for s, p in data.items()},
        },
    }
    return Task(
        name=name,
        functions=supervised_functions(network, label(loss), function, pairs),
        data=data,
        metrics={"loss": "min", **{metric: part[1] for metric, part in chosen.items()}},
        source=described if source is None else source,
        options=options or {},
    )


def arrays(pair: Any, place: str) -> Pair:
    """Inputs and targets as finite numeric NumPy arrays of one length, of the task's own.

    Raises:
        DataError: no pair, no numbers, nan, inf, empty, or different lengths.
    """
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise DataError(f"{place}: must be a pair (inputs, targets), got {type(pair).__name__}")
    leaves, structure = jax.tree.flatten(pair[0])
    # Copied and aligned once, here: no run of the task has to do it again, and what the caller
    # writes into the arrays later reaches no run, wherever they happen to lie.
    found = [aligned(numbers(leaf, f"{place} inputs"), copy=True) for leaf in leaves]
    x = jax.tree.unflatten(structure, found)
    y = aligned(numbers(pair[1], f"{place} targets"), copy=True)
    if not leaves:
        raise DataError(f"{place} inputs: are empty")
    for leaf in jax.tree.leaves(x):
        same_length(leaf, y, place)
    return x, y


def loss_function(loss: str | PerExample) -> PerExample:
    """The function that `loss` names, or is.

    Raises:
        ValueError: unknown name.
    """
    if callable(loss):
        return loss
    if loss not in LOSSES:
        close = difflib.get_close_matches(str(loss), LOSSES, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"there is no loss {loss!r}{hint} Known: {', '.join(LOSSES)}, or a function "
            "(outputs, targets) -> one value per example"
        )
    return LOSSES[loss]


def metric_functions(
    metrics: Sequence[str] | Mapping[str, Any] | None,
    loss: PerExample,
    outputs: Any,
    targets: np.ndarray,
) -> dict[str, tuple[PerExample, str]]:
    """The metrics by name with their directions; None: accuracy where targets are classes."""
    binary = loss is sigmoid_binary_cross_entropy
    if metrics is None:
        metrics = ("accuracy",) if binary or loss is softmax_cross_entropy else ()
    if isinstance(metrics, str):
        metrics = (metrics,)
    if not isinstance(metrics, Mapping):
        metrics = {name: None for name in metrics}
    chosen: dict[str, tuple[PerExample, str]] = {}
    for name, value in metrics.items():
        if value is None or isinstance(value, str):
            if name not in METRICS:
                close = difflib.get_close_matches(name, METRICS, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise ValueError(
                    f"there is no metric {name!r}{hint} Known: {', '.join(METRICS)}, "
                    'or {name: (function, "min" or "max")}'
                )
            chosen[name] = METRICS[name]
            single = outputs.shape[-1:] == (1,) or outputs.ndim == targets.ndim == 1
            if name == "accuracy" and (binary or single):
                chosen[name] = (binary_accuracy, "max")
            continue
        if not (isinstance(value, (tuple, list)) and len(value) == 2 and callable(value[0])):
            raise ValueError(f'metric {name!r} must be (function, "min" or "max"), got {value!r}')
        if value[1] not in ("min", "max"):
            raise ValueError(f'metric {name!r} must say "min" or "max", got {value[1]!r}')
        if name == "loss" or not name.isidentifier():
            raise ValueError(f"a metric cannot be named {name!r}")
        chosen[name] = (value[0], value[1])
    return chosen


def output_shape(name: str, model: Model, pair: Pair) -> jax.ShapeDtypeStruct:
    """What the model gives for a batch of `EXAMPLES`; nothing is computed.

    Raises:
        ValueError: the model cannot take such inputs, or gives no array with a batch axis.
    """
    x = jax.tree.map(struct, pair[0])
    try:
        outputs, _ = jax.eval_shape(
            lambda x: model.apply(
                model.init(jax.random.key(0), jax.tree.map(lambda leaf: leaf[:1], x)),
                x,
                True,
                jax.random.key(1),
            ),
            x,
        )
    except (TypeError, ValueError, AttributeError, flax.errors.FlaxError) as error:
        shapes = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(x))
        raise ValueError(f"{name}: the model fails on inputs {shapes}: {error}") from error
    if not hasattr(outputs, "shape") or outputs.ndim == 0 or outputs.shape[0] != EXAMPLES:
        raise ValueError(
            f"{name}: for {EXAMPLES} examples the model gave {outputs}, expected one array with "
            f"first axis {EXAMPLES}"
        )
    return outputs


def struct(leaf: Any, count: int = EXAMPLES) -> jax.ShapeDtypeStruct:
    """Shape and dtype of `count` examples, as the engine in float32 has them."""
    dtype = leaf.dtype
    if jnp.issubdtype(dtype, jnp.floating):
        dtype = np.dtype(np.float32)
    elif dtype in (np.int64, np.uint64):
        dtype = np.dtype(np.int32)
    return jax.ShapeDtypeStruct((count, *leaf.shape[1:]), dtype)


def _item_shapes(pair: Pair) -> list[tuple[int, ...]]:
    return [leaf.shape[1:] for leaf in jax.tree.leaves(pair)]


def _check_labels(name: str, data: Mapping[str, Pair], classes: int | None) -> None:
    for split, (_, y) in data.items():
        place = f"{name}, {split} targets"
        if y.dtype.kind == "f" and classes != 2:
            raise DataError(f"{place}: labels must be integers, got dtype {y.dtype}")
        bad = np.argwhere((y < 0) | (y > classes - 1)) if classes else []
        if classes and len(bad):
            row = tuple(int(i) for i in bad[0])
            raise DataError(
                f"{place}: label {y[row]} at row {row[0]} (counted from 0) is out of range 0 to "
                f"{classes - 1} of the model's outputs"
            )


def _check_values(
    name: str,
    loss_name: str,
    loss: PerExample,
    metrics: Mapping[str, tuple[PerExample, str]],
    outputs: jax.ShapeDtypeStruct,
    targets: np.ndarray,
) -> None:
    checks: list[tuple[str, Callable[[Array, Array], Array]]] = [
        ("loss", lambda o, t: loss_values(loss_name, loss, o, t))
    ]
    for metric, (function, _) in metrics.items():
        checks.append(
            ("metric", lambda o, t, m=metric, f=function: metric_values(m, f, o, t))  # type: ignore
        )
    for what, check in checks:
        try:
            jax.eval_shape(check, outputs, struct(targets))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        except TypeError as error:
            raise ValueError(
                f"{name}: the {what} fails on outputs {outputs.shape} and targets "
                f"{struct(targets).shape}: {error}"
            ) from error
