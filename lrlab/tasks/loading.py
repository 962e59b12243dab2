"""From a name or from parts to a task, and the last check before training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from lrlab import data as sources
from lrlab import models
from lrlab.core import registry
from lrlab.core.errors import FieldError, within
from lrlab.core.text import JsonObject, Table
from lrlab.tasks.labels import label as function_label
from lrlab.tasks.registry import REGISTRY, options, recipe
from lrlab.tasks.task import Task
from lrlab.types import LossChoice, MetricChoice, PyTree

if TYPE_CHECKING:
    from flax.linen import Module

USUAL_LOSS = {"classification": "softmax_cross_entropy", "tokens": "softmax_cross_entropy",
              "regression": "mse"}  # fmt: skip
"""What is trained on data of a kind unless a loss is given."""

Wrap = Callable[[Callable[..., "Module"], JsonObject, PyTree], object]
"""`(make, description, inputs) -> model`, see `build`."""


class OwnModel(NamedTuple):
    """A model of the user's that is made when its data are known: `make(num_outputs) -> model`, and
    the description of it, JSON-able."""

    make: Callable[[int], object]
    description: JsonObject


def load(
    name: str,
    *,
    model: Table | str | OwnModel | None = None,
    data: Table | str | None = None,
    loss: LossChoice | None = None,
    metrics: MetricChoice | None = None,
    root: str | Path | None = None,
    wrap: Wrap | None = None,
    params: PyTree = None,
    trainable: Sequence[str] | str | None = None,
    **flat: Any,
) -> Task:
    """The task of that name, with options of its model and data changed.

    Args:
        name: a key of `NAMES`, or `<data>-<model>` such as "wine-linear" or "csv:my.csv-mlp".
        model, data: options to change; with `name` another model or data set takes the place.
        loss, metrics: in place of the recipe's; see `Task.supervised`.
        root: where relative data paths start.
        wrap: see `build`.
        params, trainable: weights to start from, and what is trained of them; see
            `Task.supervised`.
        flat: options of the model or the data (or of the objective) without saying whose.

    Raises:
        ValueError: unknown names and options, data that are wrong or absent (DataError), or parts
            that do not fit.

    >>> load("iris-linear").num_examples
    120
    >>> load("quadratic", spectrum=[3.0, 1.0]).source["spectrum"]
    [3.0, 1.0]
    """
    parts = recipe(name)
    if parts is None:
        changes = {"model": model, "data": data, "loss": loss, "metrics": metrics,
                   "params": params, "trainable": trainable}  # fmt: skip
        wrong = [key for key, value in changes.items() if value is not None]
        _check_options(name, [*wrong, *flat], options(name))
        with within("task"):
            return registry.load(REGISTRY, name)(**flat)._replace(name=name, options=dict(flat))
    own = isinstance(model, OwnModel)
    network = {} if own else _changed(parts["model"], cast("Table | str | None", model))
    source = _changed(parts["data"], data)
    if flat:
        with within("task", "model"):
            of_model = {} if own else models.options(network["name"])
        with within("task", "data"):
            of_data = sources.options(source["name"].partition(":")[0])
        _check_options(name, flat, [*of_model, *sources.COMMON, *of_data])
        for key, value in flat.items():
            (network if key in of_model else source)[key] = value
    return build(
        model if own else network,
        source,
        loss=parts.get("loss") if loss is None else loss,
        metrics=parts.get("metrics") if metrics is None else metrics,
        name=name,
        root=root,
        wrap=wrap,
        params=params,
        trainable=trainable,
    )


def build(
    model: object,
    data: Table | str,
    loss: LossChoice | None = None,
    metrics: MetricChoice | None = None,
    *,
    name: str | None = None,
    root: str | Path | None = None,
    wrap: Wrap | None = None,
    params: PyTree = None,
    trainable: Sequence[str] | str | None = None,
) -> Task:
    """A task from a registered (or anyone's) model and a data source.

    Args:
        model: {"name": ..., option: ...}, a name, an `OwnModel`, or whatever `Task.supervised`
            takes.
        data: {"name": ..., option: ...} or a name, as `lrlab.data.load` takes them.
        loss: None for the usual one: softmax cross-entropy for classes and bytes, else "mse".
            "binary" gives a model one output; "mse" on classes trains on one-hot targets.
        metrics: see `Task.supervised`; None for accuracy where targets are classes.
        wrap: `wrap(make, model, inputs) -> model` for a registered model: `make(**changes)` gives
            its module with options changed, `model` is its description, `inputs` the training
            inputs; what comes back is trained in its place.
        params, trainable: see `Task.supervised`.

    >>> build({"name": "linear"}, {"name": "wine"}).name
    'wine-linear'
    """
    data = {"name": data} if isinstance(data, str) else dict(data)
    model = {"name": model} if isinstance(model, str) else model
    described = model if isinstance(model, Mapping) else None
    own = model if isinstance(model, OwnModel) else None
    if described is not None:
        if "name" not in described:
            raise FieldError(
                "task.model", f"task.model needs a name; known: {', '.join(models.NAMES)}"
            )
        with within("task", "model"):
            models.options(described["name"])
        if data.get("name") == "digits" and described["name"] in models.FOR_IMAGES:
            data.setdefault("flat", False)
    named = loss.get("name") if isinstance(loss, Mapping) else loss
    kind_of = str(data.get("name")).partition(":")[0]
    if named == "mse" and kind_of in ("csv", "npz") and "kind" not in data:
        data["kind"] = "regression"
    with within("task", "data"):
        dataset = sources.load(data, root=root)
        if dataset.valid is None:
            raise sources.DataError(
                f"{dataset.name}: has no validation split; give valid_fraction above 0",
                "valid_fraction",
            )
    splits: JsonObject = dataset.splits()
    loss = loss or USUAL_LOSS[dataset.kind]
    classes = dataset.kind == "classification"
    outputs = dataset.num_outputs
    if named in ("binary", "sigmoid_binary_cross_entropy") and classes:
        if outputs > 2:
            raise FieldError(
                "task.loss",
                f'loss "binary" needs two classes, {dataset.name} has {outputs}; '
                'use "softmax_cross_entropy"',
            )
        outputs = 1
    if named == "mse" and classes:
        splits = {part: (x, np.eye(outputs)[y]) for part, (x, y) in splits.items()}
        metrics = ("accuracy",) if metrics is None else metrics
    network = model
    if own is not None:
        with within("task", "model"):
            network = own.make(outputs)
    if described is not None:
        rest = {key: value for key, value in described.items() if key != "name"}
        with within("task", "model"):
            network = models.module(described["name"], outputs, **rest)
        if wrap is not None:

            def make(**changes: Any) -> Module:
                return models.module(described["name"], outputs, **{**rest, **changes})

            network = wrap(make, dict(described), splits["train"][0])
    source = {
        "model": _description(model),
        "data": dict(dataset.source),
        "loss": dict(loss) if isinstance(loss, Mapping) else function_label(loss),
    }
    label = described["name"] if described is not None else "own" if own else "model"
    return Task.supervised(
        name=name or f"{dataset.name}-{label}",
        model=network,
        loss=loss,
        train=splits["train"],
        valid=splits["valid"],
        test=splits.get("test"),
        metrics=metrics,
        params=params,
        trainable=trainable,
        source=source,
        options={"model": source["model"], "data": data},
    )


def _description(model: object) -> object:
    """What is recorded of a model."""
    if isinstance(model, OwnModel):
        return model.description
    return dict(model) if isinstance(model, Mapping) else repr(model)


def check(task: Task, batch_size: int | str | None = None) -> None:
    """Whether the task can train with that batch size; nothing is compiled.

    Args:
        batch_size: a number, "full" (or None) for the whole training split.

    Raises:
        ValueError: a batch larger than the data, a batch size for an objective, or functions whose
            shapes do not fit the engine.
    """
    from lrlab.tasks.checks import check_functions

    if task.is_objective:
        if batch_size is not None:
            raise FieldError(
                "batch_size", f"{task.name}: an objective has no data, so give no batch_size"
            )
    elif batch_size not in (None, "full"):
        if isinstance(batch_size, (bool, str)) or batch_size < 1:
            raise FieldError(
                "batch_size",
                f'{task.name}: batch_size must be at least 1, or "full", got {batch_size!r}',
            )
        if batch_size > task.num_examples:
            raise FieldError(
                "batch_size",
                f"{task.name}: batch_size = {batch_size} is larger than the training data "
                f'({task.num_examples} examples); use a smaller one, or "full"',
            )
    check_functions(task)


def _changed(recipe: Table, change: Table | str | None) -> JsonObject:
    """The recipe's part with options changed; another name starts from that one's defaults."""
    change = {"name": change} if isinstance(change, str) else dict(change or {})
    if change.get("name", recipe["name"]) != recipe["name"]:
        return change
    return {**recipe, **change}


def _check_options(name: str, options: Iterable[str], accepted: Iterable[str]) -> None:
    accepted = list(accepted)
    for option in options:
        if option not in accepted:
            raise registry.unknown_option(REGISTRY, name, option, accepted)
