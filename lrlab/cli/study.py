"""`lrlab study`: how the best learning rate goes with width, batch size, length, ..."""

from __future__ import annotations

import typer

from lrlab.cli.configured import Config, Json, Out, Quiet, Set, train


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("study", rich_help_panel="Train")(study)


def study(
    config: Config, set_: Set = None, out: Out = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Find the best learning rate at every value of study.axis, and the law they follow."""
    train("study", config, set_, out, json, quiet)
