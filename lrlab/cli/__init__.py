"""The command line: `lrlab COMMAND`. Thin over `lrlab.api`; jax is imported by training only."""

from __future__ import annotations

from lrlab.cli.app import app, main
