"""lrlab bench: the same training done by lrlab and by the alternatives, measured in one run.

Names are loaded on first use: a worker of PyTorch runs where there is no JAX.

>>> from lrlab import bench
>>> bench.workload("mlp-small").lanes
128
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "JAX_WAYS": "lrlab.bench.workloads",
    "NAMES": "lrlab.bench.workloads",
    "WAYS": "lrlab.bench.workloads",
    "WORKLOADS": "lrlab.bench.workloads",
    "Workload": "lrlab.bench.workloads",
    "workload": "lrlab.bench.workloads",
    "run": "lrlab.bench.suite",
    "markdown": "lrlab.bench.table",
    "explained": "lrlab.bench.table",
    "figure": "lrlab.bench.table",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'lrlab.bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from lrlab.bench.suite import run
    from lrlab.bench.table import explained, figure, markdown
    from lrlab.bench.workloads import JAX_WAYS, NAMES, WAYS, WORKLOADS, Workload, workload
