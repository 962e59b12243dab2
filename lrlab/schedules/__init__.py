"""Learning-rate schedules: closed forms of the step, traceable in the step and in every parameter.

A schedule's file holds `shape(step, steps, **parameters) -> factor`: what multiplies the peak at
`step` of `steps`. `make` adds the peak and a warmup. To add one: a function and a line in
`lrlab.schedules.registry.NAMES`. Compositions are in `lrlab.schedules.compose`, bounds in
`lrlab.schedules.bounds`.
"""

from __future__ import annotations

from lrlab.schedules.figure import plot
from lrlab.schedules.labels import label, labels
from lrlab.schedules.registry import COMMON, NAMES, REGISTRY, describe, names, parameters
from lrlab.schedules.schedule import Schedule, make, values
from lrlab.schedules.training import engine_schedule

__all__ = [
    "COMMON", "NAMES", "REGISTRY", "Schedule", "describe", "engine_schedule", "label", "labels",
    "make", "names", "parameters", "plot", "values",
]  # fmt: skip
