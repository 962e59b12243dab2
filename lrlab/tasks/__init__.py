"""Tasks: a model, data, a loss and metrics as pure functions; a registry of real ones.

A supervised task is a recipe in `recipes` (which data, which model); an objective is a function of
its options in `closed_forms`. Each has one line in `NAMES`. Nothing here imports jax before a task
is made.
"""

from __future__ import annotations

from lrlab.tasks.loading import NAMES, build, check, load, options
from lrlab.tasks.task import Task

__all__ = ["NAMES", "Task", "build", "check", "load", "options"]
