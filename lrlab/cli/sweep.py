"""`lrlab sweep`."""

from __future__ import annotations

from lrlab.cli.options import Config, Json, On, Out, Quiet, Set
from lrlab.cli.training import train


def sweep(
    config: Config,
    set_: Set = None,
    out: Out = None,
    on: On = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train every learning rate in `lr`, with every seed, to the end."""
    train("sweep", config, set_, out, json, quiet, on)
