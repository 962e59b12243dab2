"""Task.supervised: data, model, loss and metrics are brought together and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

from lrlab.core import registry
from lrlab.core.errors import FieldError, within
from lrlab.core.jax_settings import usual
from lrlab.core.records import Direction
from lrlab.core.text import JsonObject, Table
from lrlab.data.dataset import DataError, digest
from lrlab.models.adapters import as_model
from lrlab.tasks.arrays import arrays, check_alike, checked_labels, held
from lrlab.tasks.augmentation import augmented
from lrlab.tasks.fit import Fit, check_fit
from lrlab.tasks.functions import Supervised, separated, supervised_functions
from lrlab.tasks.given import fitted
from lrlab.tasks.labels import label
from lrlab.tasks.losses import (
    PerExample,
    base_of,
    ignored_label,
    ignoring,
    is_built_in,
    sigmoid_binary_cross_entropy,
    softmax_cross_entropy,
)
from lrlab.tasks.metrics import metric_functions
from lrlab.tasks.registry import LOSSES
from lrlab.tasks.shapes import Outputs, kind_of, output_shapes, struct
from lrlab.tasks.streams import described_streams, digest_of, opened, settled
from lrlab.tasks.trainable import trainable_of
from lrlab.tasks.weights import weights_of
from lrlab.types import LossChoice, MetricChoice, Model, PyTree, TaskParts


@usual()
def supervised(
    name: str,
    model: object,
    loss: LossChoice,
    train: PyTree,
    valid: PyTree,
    test: PyTree | None,
    metrics: MetricChoice | None = None,
    source: Table | None = None,
    params: PyTree = None,
    trainable: str | Sequence[str] | None = None,
    augment: Callable[..., PyTree] | None = None,
    batch_loss: bool = False,
    rngs: Sequence[str] = ("dropout",),
) -> TaskParts:
    """See `Task.supervised`."""
    with within("task", "data"):
        data = _splits(name, {"train": train, "valid": valid, "test": test})
    with within("task", "loss"):
        function = loss_function(loss)
        _check_kind(name, function, data["train"], batch_loss)
    pair = isinstance(data["train"], tuple)
    classes = base_of(function) in (softmax_cross_entropy, sigmoid_binary_cross_entropy)
    data = held(data, targets=not classes)
    batch = jax.tree.map(struct, data["train"])
    with within("task"):
        training = batch if augment is None else augmented(name, augment, batch)
    with within("task", "model"):
        network = as_model(model, rngs)
        inputs = data["train"][0] if pair else data["train"]
        inputs_now = training[0] if pair else training
        outputs = output_shapes(name, model, network, inputs, inputs_now, rngs, batch_loss)
    with within("task", "loss"):
        _check_single(name, function, outputs)
    if classes:
        with within("task", "data"):
            data = checked_labels(name, data, outputs.valid, function)
        batch = jax.tree.map(struct, data["train"])  # labels [N, 1] are [N] from here on
        with within("task"):
            training = batch if augment is None else augmented(name, augment, batch)
    targets = data["train"][1] if pair else data["train"]
    with within("task", "metrics"):
        chosen = metric_functions(metrics, function, outputs.valid, targets)
    own = {metric: part[0] for metric, part in chosen.items()}
    fit = Fit(name, label(function), function, own, batch_loss)
    kinds = check_fit(fit, outputs, targets, training[1] if pair else training)
    with within("task"):
        weights = weights_of(params)
        trains = trainable_of(trainable, separated(outputs.variables)[0])
        whose = f"{name}, {weights.place}" if weights.place else name
        given = None if weights.tree is None else fitted(whose, weights.tree, outputs.variables)
    parts = Supervised(
        network,
        label(function),
        function,
        tuple(own.items()),
        whole=kinds.whole,
        pair=pair,
        batch=batch_loss,
        augment=augment,
        own_tokens=kinds.own_tokens,
        single=outputs.single,
        trains=trains,
    )
    functions = supervised_functions(parts)
    with within("task", "data"):
        data = settled(name, data, functions)
    described: JsonObject = {
        "model": repr(model) if not isinstance(model, Model) else "Model(init, apply)",
        "loss": label(function) if callable(loss) or isinstance(loss, Mapping) else loss,
        "data": {
            "sha256": {split: digest_of(pair) for split, pair in data.items()},
            "shapes": {s: [list(np.shape(a)) for a in jax.tree.leaves(p)] for s, p in data.items()},
            **described_streams(data),
        },
    }
    start: JsonObject = {}
    if given is not None:
        left = {"left_out": list(weights.left_out)} if weights.left_out else {}
        start["params"] = {"sha256": digest(jax.tree.leaves(given)), **left}
    if trains is not None:
        start["trainable"] = list(trains.patterns)
    directions: dict[str, Direction] = {metric: part[1] for metric, part in chosen.items()}
    return TaskParts(
        functions=functions,
        data=data,
        metrics={"loss": "min", **directions},
        source={**(described if source is None else source), **start},
        params=given,
    )


def loss_function(loss: LossChoice) -> PerExample:
    """The function that `loss` names, or is.

    Raises:
        ValueError: unknown name or option.

    >>> loss_function({"name": "mse", "ignore_label": -1}).keywords
    {'ignore_label': -1}
    """
    if isinstance(loss, Mapping):
        options = {key: value for key, value in loss.items() if key != "name"}
        function = loss_function(_named(loss))
        for option in options:
            if option not in registry.parameters(LOSSES, loss["name"]):
                raise registry.unknown_option(LOSSES, loss["name"], option)
        ignored = options.get("ignore_label")
        if ignored is None:
            return function
        if isinstance(ignored, bool) or not isinstance(ignored, (int, float)):
            raise FieldError("ignore_label", f"ignore_label must be a number, got {ignored!r}")
        return ignoring(function, ignored)
    if callable(loss):
        base = base_of(loss)
        ignored = ignored_label(loss)
        return loss if base is loss or ignored is None else ignoring(base, ignored)
    if not registry.has(LOSSES, loss):
        own = ", or a function (outputs, targets) -> one value per example"
        raise registry.unknown_name(LOSSES, loss, own)
    return registry.load(LOSSES, loss)


def _named(loss: Mapping[str, object]) -> str:
    name = loss.get("name")
    if not isinstance(name, str):
        raise FieldError("name", f"loss needs a name; known: {', '.join(LOSSES.entries)}")
    return name


def _splits(name: str, splits: Mapping[str, object]) -> dict[str, PyTree]:
    splits = opened(name, splits)
    data = {
        split: arrays(part, f"{name}, {split}")
        for split, part in splits.items()
        if part is not None
    }
    for split in ("train", "valid"):
        if split not in data:
            raise DataError(f"{name}: {split} must be a pair (inputs, targets), got None")
    check_alike(name, data)
    return data


def _check_kind(name: str, loss: PerExample, data: PyTree, batch_loss: bool) -> None:
    """Whether a loss of this library fits what it gets beside the outputs."""
    if not is_built_in(loss):
        return
    if not isinstance(data, tuple):
        raise ValueError(
            f"{name}: the loss {label(loss)!r} compares outputs with targets, and a dict batch has "
            "none by name; give the loss as a function (outputs, batch)"
        )
    if not hasattr(data[1], "shape"):
        raise DataError(
            f"{name}: the loss {label(loss)!r} needs one array of targets, got {kind_of(data[1])}; "
            "give the loss as a function (outputs, targets)"
        )
    if batch_loss:
        raise ValueError(
            f"{name}: the loss {label(loss)!r} has a value for each example; batch_loss=True is "
            "for a function (outputs, targets) that gives one number for the whole batch"
        )


def _check_single(name: str, loss: PerExample, outputs: Outputs) -> None:
    if is_built_in(loss) and not outputs.single:
        raise ValueError(
            f"{name}: the model gave {kind_of(outputs.valid)}, and the loss {label(loss)!r} needs "
            "one array of outputs; give the loss as a function (outputs, targets), or wrap the "
            "model in one that gives the output to train on"
        )
