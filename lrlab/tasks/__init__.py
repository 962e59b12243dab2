"""Tasks: a model, data, a loss and metrics as pure functions; a registry of real ones.

A supervised task is a recipe in `recipes` (which data, which model); an objective is a function of
its options in `closed_forms`. Each has one line in `lrlab.tasks.registry.NAMES`. Nothing here
imports jax before a task is made.
"""

from __future__ import annotations

from lrlab.tasks.loading import build, check, load
from lrlab.tasks.registry import LOSSES, METRICS, NAMES, REGISTRY, options, parameters, recipe
from lrlab.tasks.task import Task

__all__ = [
    "LOSSES", "METRICS", "NAMES", "REGISTRY", "Task", "build", "check", "load", "options",
    "parameters", "recipe",
]  # fmt: skip
