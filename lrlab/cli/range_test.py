"""`lrlab range-test`."""

from __future__ import annotations

from lrlab.cli.options import Config, Json, On, Out, Quiet, Set
from lrlab.cli.training import train


def range_test(
    config: Config,
    set_: Set = None,
    out: Out = None,
    on: On = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Raise the learning rate within one short run, and read off what the rules suggest."""
    train("range-test", config, set_, out, json, quiet, on)
