"""`lrlab plan`."""

from __future__ import annotations

import lrlab
from lrlab import config as configuration
from lrlab.cli.failures import placed
from lrlab.cli.options import Config, Json, On, Set
from lrlab.cli.output import console, emit, only_json, table, words


def plan(config: Config, set_: Set = None, on: On = None, json: Json = False) -> None:
    """Show how the lanes would be laid on this machine, without training; with `--on`, what the
    cluster would take, from a tile that is timed there."""
    read = configuration.load(config, tuple(set_ or ()), command="plan")
    experiment = configuration.moved(read, on)
    with placed(experiment, config), only_json():
        result = lrlab.api.plan(experiment)
    if json:
        emit(result)
        return
    reasons = result.get("reasons") or ()
    apart = ("reasons", "on")
    rows = [(key, words(value)) for key, value in result.items() if key not in apart]
    console().print(table("Plan", ("part", "value"), rows, "\n".join(map(str, reasons))))
    if cluster := result.get("on"):
        rows = [(key, words(value)) for key, value in cluster.items()]
        note = "from a tile that was timed at one worker; if no lane ended early"
        console().print(table("On the cluster", ("part", "value"), rows, note))
