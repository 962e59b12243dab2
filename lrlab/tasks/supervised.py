"""Task.supervised: data, model, loss and metrics are brought together and checked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

from lrlab.core import registry
from lrlab.core.errors import within
from lrlab.core.jax_settings import usual
from lrlab.core.records import Direction
from lrlab.core.text import Table
from lrlab.data.dataset import DataError, digest
from lrlab.data.streams import Stream, stream_of
from lrlab.engine.devices import prepare_devices
from lrlab.models.adapters import as_model
from lrlab.tasks.arrays import arrays, check_alike, checked_labels, held
from lrlab.tasks.coupling import broadcasts, is_coupled, one_axis_apart
from lrlab.tasks.functions import separated, supervised_functions
from lrlab.tasks.given import fitted
from lrlab.tasks.losses import (
    PER_EXAMPLE,
    PerExample,
    label,
    loss_values,
    metric_values,
    sigmoid_binary_cross_entropy,
    softmax_cross_entropy,
)
from lrlab.tasks.metrics import metric_functions
from lrlab.tasks.registry import LOSSES
from lrlab.tasks.shapes import ALL_TOGETHER, output_shape, struct
from lrlab.tasks.streams import described_streams, opened, settled
from lrlab.tasks.trainable import Trainable, trainable_of
from lrlab.types import Array, MetricChoice, Model, Pair, PyTree, TaskParts


@usual()
def supervised(
    name: str,
    model: object,
    loss: str | PerExample,
    train: Pair | Stream,
    valid: Pair | Stream | None,
    test: Pair | Stream | None,
    metrics: MetricChoice | None,
    source: Table | None,
    params: PyTree = None,
    trainable: Sequence[str] | str | None = None,
) -> TaskParts:
    """See `Task.supervised`."""
    with within("task", "data"):
        splits = opened(name, {"train": train, "valid": valid, "test": test})
        data = {
            split: arrays(pair, f"{name}, {split}")
            for split, pair in splits.items()
            if pair is not None
        }
        for split in ("train", "valid"):
            if split not in data:
                raise DataError(
                    f"{name}: {split} must be a pair (inputs, targets), got {splits[split]}"
                )
        check_alike(name, data)
    function = loss_function(loss)
    classes = function in (softmax_cross_entropy, sigmoid_binary_cross_entropy)
    data = held(data, targets=not classes)
    with within("task", "model"):
        network = as_model(model)
        outputs = output_shape(name, model, network, data["train"])
    if classes:
        with within("task", "data"):
            data = checked_labels(name, data, outputs, function)
    with within("task", "metrics"):
        chosen = metric_functions(metrics, function, outputs, data["train"][1])
    _check_values(name, label(loss), function, chosen, outputs, data["train"][1])
    with within("task"):
        given, trains = _weights(name, network, data["train"][0], params, trainable)
    pairs = tuple((metric, part[0]) for metric, part in chosen.items())
    functions = supervised_functions(network, label(loss), function, pairs)
    if any(_is_whole(metric, of, outputs, data["train"][1]) for metric, of in pairs):
        functions = functions._replace(part=None)
    with within("task", "data"):
        data = settled(name, data, functions)
    described = {
        "model": repr(model) if not isinstance(model, Model) else "Model(init, apply)",
        "loss": label(loss),
        "data": {
            "sha256": {split: _digest(pair) for split, pair in data.items()},
            "shapes": {s: [list(np.shape(a)) for a in jax.tree.leaves(p)] for s, p in data.items()},
            **described_streams(data),
        },
    }
    if given is not None:
        described["params"] = {"sha256": digest(jax.tree.leaves(given))}
    if trains is not None:
        described["trainable"] = list(trains.patterns)
    directions: dict[str, Direction] = {metric: part[1] for metric, part in chosen.items()}
    return TaskParts(
        functions=functions if trains is None else functions._replace(trains=trains),
        data=data,
        metrics={"loss": "min", **directions},
        source=described if source is None else source,
        params=given,
    )


def _weights(
    name: str, network: Model, inputs: PyTree, params: PyTree, trainable: Sequence[str] | str | None
) -> tuple[PyTree, Trainable | None]:
    """The weights to start from, in the form of the model's variables, and which of them are
    trained; None where there is nothing to say."""
    if params is None and trainable is None:
        return None, None
    key = jax.eval_shape(lambda: jax.random.key(0))
    one = jax.tree.map(lambda leaf: struct(leaf, 1), inputs)
    variables = jax.eval_shape(lambda key, x: network.init(key, x), key, one)
    given = None if params is None else fitted(name, params, variables)
    return given, trainable_of(trainable, separated(variables)[0])


def _is_whole(
    metric: str, function: PerExample, outputs: jax.ShapeDtypeStruct, targets: np.ndarray
) -> bool:
    """Whether a metric is one number for all examples."""
    values = functools.partial(metric_values, metric, function)
    return jax.eval_shape(values, outputs, struct(targets)).ndim == 0


def _digest(pair: PyTree) -> str:
    source = stream_of(pair)
    return digest(jax.tree.leaves(pair)) if source is None else source.digest


def loss_function(loss: str | PerExample) -> PerExample:
    """The function that `loss` names, or is.

    Raises:
        ValueError: unknown name.
    """
    if callable(loss):
        return loss
    if not registry.has(LOSSES, loss):
        own = ", or a function (outputs, targets) -> one value per example"
        raise registry.unknown_name(LOSSES, loss, own)
    return registry.load(LOSSES, loss)


def _check_values(
    name: str,
    loss_name: str,
    loss: PerExample,
    metrics: Mapping[str, tuple[PerExample, Direction]],
    outputs: jax.ShapeDtypeStruct,
    targets: np.ndarray,
) -> None:
    with within("task", "loss"):
        _check_value(name, f"loss {loss_name!r}", loss, loss_values, loss_name, outputs, targets)
    with within("task", "metrics"):
        for metric, (function, _) in metrics.items():
            what = f"metric {metric!r}"
            _check_value(name, what, function, metric_values, metric, outputs, targets)


def _check_value(
    name: str,
    what: str,
    function: PerExample,
    values_of: Callable[[str, PerExample, Array, Array], Array],
    label: str,
    outputs: jax.ShapeDtypeStruct,
    targets: np.ndarray,
) -> None:
    """Whether a loss or metric gives values of the right shape, each of its own example."""
    shapes = f"(outputs {outputs.shape}, targets {struct(targets).shape})"

    def values(outputs: Array, targets: Array) -> Array:
        return values_of(label, function, outputs, targets)

    try:
        result = jax.eval_shape(values, outputs, struct(targets))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    except (TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{name}: {what} fails on {shapes[1:-1]}: {error}") from error
    if function in PER_EXAMPLE:
        return
    prepare_devices()  # what follows is computed, after which the devices are fixed
    if result.ndim == 0:
        if broadcasts(values, outputs, targets):
            raise ValueError(
                f"{name}: {what} broadcasts outputs with targets {shapes}, so that it is over all "
                f"pairs: bring them to one shape first, as in outputs.reshape(targets.shape)"
            )
        return
    if not is_coupled(values, outputs, targets):
        return
    pairs = ""
    if one_axis_apart(outputs, targets):
        pairs = (
            "Where outputs [N, 1] meet targets [N] they broadcast to [N, N]: bring them to one "
            "shape first, as in outputs.reshape(targets.shape). "
        )
    rest = ALL_TOGETHER
    if values_of is metric_values:
        rest = "A metric of all examples together gives one number (its mean), not one per example."
    raise ValueError(
        f"{name}: {what} gives an example another value when the other examples of the batch "
        f"change {shapes}, expected one value per example that is its own. {pairs}{rest}"
    )
