"""Tasks, losses and metrics by name: what each takes. Nothing here imports jax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from lrlab import data, models
from lrlab.core import registry
from lrlab.core.errors import FieldError
from lrlab.core.registry import Parameter, Registry
from lrlab.core.text import JsonObject
from lrlab.tasks.recipes import Recipe

NAMES: dict[str, str] = {
    "digits-mlp": "lrlab.tasks.recipes:digits_mlp",
    "digits-linear": "lrlab.tasks.recipes:digits_linear",
    "digits-cnn": "lrlab.tasks.recipes:digits_cnn",
    "wine-mlp": "lrlab.tasks.recipes:wine_mlp",
    "breast_cancer-linear": "lrlab.tasks.recipes:breast_cancer_linear",
    "iris-linear": "lrlab.tasks.recipes:iris_linear",
    "diabetes-mlp": "lrlab.tasks.recipes:diabetes_mlp",
    "diabetes-linear": "lrlab.tasks.recipes:diabetes_linear",
    "fashion_mnist-mlp": "lrlab.tasks.recipes:fashion_mnist_mlp",
    "fashion_mnist-cnn": "lrlab.tasks.recipes:fashion_mnist_cnn",
    "fashion_mnist-resnet": "lrlab.tasks.recipes:fashion_mnist_resnet",
    "mnist1d-mlp": "lrlab.tasks.recipes:mnist1d_mlp",
    "mnist1d-cnn": "lrlab.tasks.recipes:mnist1d_cnn",
    "bytes-transformer": "lrlab.tasks.recipes:bytes_transformer",
    "chebyshev": "lrlab.tasks.recipes:chebyshev",
    "quadratic": "lrlab.tasks.closed_forms:quadratic",
    "rosenbrock": "lrlab.tasks.closed_forms:rosenbrock",
    "noisy_quadratic": "lrlab.tasks.closed_forms:noisy_quadratic",
    "trainability": "lrlab.tasks.trainability:trainability",
}
"""Name -> "module:function". Any `<data>-<model>` loads as well, with the model's defaults."""

REGISTRY: Registry[str] = Registry(
    "task", NAMES, error=lambda option, message: FieldError(("task", option), message)
)
"""Recipes, which take nothing, and objectives, which take their options."""

LOSSES: Registry[str] = Registry(
    "loss",
    {
        "softmax_cross_entropy": "lrlab.tasks.losses:softmax_cross_entropy",
        "sigmoid_binary_cross_entropy": "lrlab.tasks.losses:sigmoid_binary_cross_entropy",
        "binary": "lrlab.tasks.losses:sigmoid_binary_cross_entropy",
        "mse": "lrlab.tasks.losses:mse",
    },
    filled=2,  # outputs, targets
    error=lambda _, message: FieldError("task.loss", message),
)


class Metric(NamedTuple):
    """A registered metric: "module:function", and whether less or more of it is better."""

    make: str
    direction: Literal["min", "max"]
    parameters: Mapping[str, object] | None = None
    defaults: Mapping[str, object] = {}
    docstring: str | None = None


METRICS: Registry[Metric] = Registry(
    "metric",
    {
        "accuracy": Metric("lrlab.tasks.losses:accuracy", "max"),
        "mae": Metric("lrlab.tasks.losses:mae", "min"),
    },
    filled=2,  # outputs, targets
    error=lambda _, message: FieldError("", message),  # its place is where metrics are listed
)


def recipe(name: str) -> Recipe | None:
    """A fresh recipe of a supervised task; None for objectives and unknown names.

    >>> recipe("wine-linear")
    {'data': {'name': 'wine'}, 'model': {'name': 'linear'}}
    """
    if name in NAMES:
        objective = registry.signature(REGISTRY, name)
        return None if objective else registry.load(REGISTRY, name)()
    source, _, model = str(name).rpartition("-")
    if model in models.NAMES and source.partition(":")[0] in data.NAMES:
        return {"data": {"name": source}, "model": {"name": model}}
    return None


def parameters(name: str) -> dict[str, Parameter]:
    """What a task takes: the options of its data and its model, or those of an objective.

    Raises:
        FieldError: there is no such task, at `task.name`.
    """
    parts = recipe(name)
    if parts is None:
        if name not in NAMES:
            raise unknown_task(name)
        return registry.parameters(REGISTRY, name)
    source, model = parts["data"]["name"].partition(":")[0], parts["model"]["name"]
    return {
        **registry.parameters(data.REGISTRY, source),
        **registry.parameters(models.REGISTRY, model),
    }


def options(name: str) -> JsonObject:
    """What `load(name, ...)` takes beside model, data, loss and metrics, with the defaults.

    >>> options("rosenbrock")["b"]
    100.0
    """
    parts = recipe(name)
    changed = {} if parts is None else {**parts["data"], **parts["model"]}
    return {
        option: changed.get(option, parameter.default)
        for option, parameter in parameters(name).items()
        if not parameter.required
    }


def unknown_task(name: object) -> FieldError:
    """The error for a name that is no task."""
    return registry.unknown_name(REGISTRY, name, ", and any <data>-<model>")
