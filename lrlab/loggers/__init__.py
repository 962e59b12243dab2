"""Trackers that runs are logged to: TensorBoard, Weights & Biases, MLflow, Trackio.

Each is a function `name(place, *, options...) -> Logger` in a module of its own; its package is
imported when the function is called.
"""

from __future__ import annotations

import importlib.util

from lrlab.core import registry
from lrlab.core.errors import FieldError
from lrlab.core.extras import install
from lrlab.core.registry import Registry
from lrlab.core.text import Table
from lrlab.loggers.protocol import Logger, Place

NAMES = {
    "mlflow": "lrlab.loggers.mlflow_tracker:mlflow",
    "tensorboard": "lrlab.loggers.tensorboard_tracker:tensorboard",
    "trackio": "lrlab.loggers.trackio_tracker:trackio",
    "wandb": "lrlab.loggers.wandb_tracker:wandb",
}

REGISTRY = Registry("tracker", NAMES, filled=1)

PACKAGES = {
    "mlflow": "mlflow",
    "tensorboard": "tensorboardX",
    "trackio": "trackio",
    "wandb": "wandb",
}
"""Tracker -> the package that it needs; the extra of lrlab has the tracker's name."""


def refuse_missing(name: str) -> None:
    """Looks whether a tracker's package is installed, without importing it.

    Raises:
        FieldError: it is not, at `log.<name>`; says what to install.
    """
    package = PACKAGES[registry.registered(REGISTRY, name)]
    if importlib.util.find_spec(package) is None:
        message = f"needs the package {package}: {install(name)}"
        raise FieldError(("log", name), message)


def make(name: str, options: Table, place: Place) -> Logger:
    """A tracker by its name, with its options; see the function of that name."""
    return registry.load(REGISTRY, name)(place, **options)
