"""`lrlab plan`."""

from __future__ import annotations

import lrlab
from lrlab import config as configuration
from lrlab.cli.failures import placed
from lrlab.cli.options import Config, Json, Set
from lrlab.cli.output import console, emit, only_json, table, words


def plan(config: Config, set_: Set = None, json: Json = False) -> None:
    """Show how the lanes would be laid on this machine, without training."""
    experiment = configuration.load(config, tuple(set_ or ()), command="plan")
    with placed(experiment, config), only_json():
        result = lrlab.api.plan(experiment)
    if json:
        emit(result)
        return
    reasons = result.get("reasons") or ()
    rows = [(key, words(value)) for key, value in result.items() if key != "reasons"]
    console().print(table("Plan", ("part", "value"), rows, "\n".join(map(str, reasons))))
