"""`lrlab compare`."""

from __future__ import annotations

from lrlab.cli.options import Config, Json, On, Out, Quiet, Set
from lrlab.cli.training import train


def compare(
    config: Config,
    set_: Set = None,
    out: Out = None,
    on: On = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tune every compare.NAME entry alike, and compare what they reach."""
    train("compare", config, set_, out, json, quiet, on)
