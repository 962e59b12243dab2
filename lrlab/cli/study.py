"""`lrlab study`."""

from __future__ import annotations

from lrlab.cli.options import Config, Json, On, Out, Quiet, Set
from lrlab.cli.training import train


def study(
    config: Config,
    set_: Set = None,
    out: Out = None,
    on: On = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the best learning rate at every value of study.axis, and the law they follow."""
    train("study", config, set_, out, json, quiet, on)
