"""Configuration: TOML files and arguments become one checked, frozen `Experiment`."""

from __future__ import annotations

from lrlab.config.arguments import from_arguments, plain, unknown
from lrlab.config.build import problem
from lrlab.config.loading import build, load
from lrlab.config.placing import problem_of
from lrlab.config.remote import moved, ray_of
from lrlab.config.resolved import (
    Budget,
    PythonObjects,
    Resolved,
    defaults,
    digest,
    dumps,
    of_own_step,
    resolve,
    schedule_entries,
    total_steps,
)
from lrlab.config.schema import Experiment
from lrlab.core.errors import PYTHON, ConfigError, Problem
from lrlab.core.text import show
