"""Configuration: TOML files and arguments become one checked, frozen `Experiment`."""

from __future__ import annotations

from lrlab.config.arguments import from_arguments, plain, unknown
from lrlab.config.loading import build, load, problem
from lrlab.config.placing import problem_of
from lrlab.config.problems import PYTHON, ConfigError, Problem, show
from lrlab.config.resolved import (
    axis_labels,
    budget,
    defaults,
    digest,
    dumps,
    fixed,
    lane_axes,
    multipliers,
    optimizer_args,
    probes,
    rates,
    schedule_args,
    schedule_entries,
    seed_list,
    table,
    total_steps,
)
from lrlab.config.schema import Experiment
