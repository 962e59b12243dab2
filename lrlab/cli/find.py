"""`lrlab find`."""

from __future__ import annotations

from lrlab.cli.options import Config, Json, On, Out, Quiet, Set
from lrlab.cli.training import train


def find(
    config: Config,
    set_: Set = None,
    out: Out = None,
    on: On = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for the learning rate to train with, and say how sure that is."""
    train("find", config, set_, out, json, quiet, on)
