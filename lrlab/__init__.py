"""lrlab: a laboratory for learning rates. See README.md and `lrlab --help`.

Names are loaded on first use, so that `import lrlab` costs nothing and sets nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lrlab.core.version import VERSION as __version__

_NAMES = {
    "sweep": "lrlab.api",
    "find": "lrlab.api",
    "range_test": "lrlab.api",
    "compare": "lrlab.api",
    "population": "lrlab.api",
    "prepare": "lrlab.engine.devices",
    "free": "lrlab.engine.memory",
    "study": "lrlab.api",
    "load": "lrlab.api",
    "merge": "lrlab.results.merging",
    "import_csv": "lrlab.results.tables",
    "import_curves": "lrlab.results.importing",
    "import_optuna": "lrlab.results.tables",
    "log_grid": "lrlab.core.grids",
    "Task": "lrlab.tasks",
    "Model": "lrlab.types",
    "Plan": "lrlab.types",
    "Logger": "lrlab.loggers.protocol",
    "Event": "lrlab.training.callbacks",
    "Ray": "lrlab.core.remote",
    "Answer": "lrlab.types",
    "Result": "lrlab.results.sweep",
}
_MODULES = (
    "api", "bench", "config", "data", "engine", "loggers", "models", "optimizers", "probes",
    "report", "rng", "runs", "scaling", "schedules", "search", "tasks", "theory", "types", "verify",
)  # fmt: skip

__all__ = [*_NAMES, *_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"lrlab.{name}")
    raise AttributeError(f"module 'lrlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from lrlab import (  # noqa: I001
        api, bench, config, data, engine, loggers, models, optimizers, probes, report, rng, runs,
        scaling, schedules, search, tasks, theory, types, verify,
    )  # fmt: skip
    from lrlab.api import compare, find, load, population, range_test, study, sweep
    from lrlab.core.grids import log_grid
    from lrlab.core.remote import Ray
    from lrlab.engine.devices import prepare
    from lrlab.engine.memory import free
    from lrlab.loggers.protocol import Logger
    from lrlab.results.importing import import_curves
    from lrlab.results.merging import merge
    from lrlab.results.sweep import Result
    from lrlab.results.tables import import_csv, import_optuna
    from lrlab.tasks import Task
    from lrlab.training.callbacks import Event
    from lrlab.types import Answer, Model, Plan
