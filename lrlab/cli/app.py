"""The application: its commands, and `main`, which turns exceptions into exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from lrlab import __version__
from lrlab.cli import (
    bench,
    compare,
    doctor,
    export,
    find,
    ls,
    plan,
    preview,
    range_test,
    replay,
    report,
    reproduce,
    resume,
    show,
    study,
    sweep,
    ui,
    verify,
    watch,
)  # fmt: skip
from lrlab.cli.failures import FAILED, INTERRUPTED, failure_of, report_failure
from lrlab.core.paths import cache_folder
from lrlab.runs.orbax_logging import reported_once

PANELS = {
    "Train": (
        find.find, sweep.sweep, range_test.range_test, compare.compare, plan.plan, resume.resume,
        study.study, reproduce.reproduce, replay.replay,
    ),
    "Look": (
        preview.preview, show.show, watch.watch, ui.ui, report.report, export.export, ls.ls,
        doctor.doctor, verify.verify, bench.bench,
    ),
}  # fmt: skip
"""Every command, by its place in `lrlab --help`; its name is the function's."""

app = typer.Typer(
    name="lrlab",
    help="A laboratory for learning rates: which one to train with, how sure that is, and why.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

for _panel, _commands in PANELS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lrlab {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a check came out differently, 2 bad input, 3 the run
    failed, 130 interrupted."""
    # Matplotlib keeps a list of fonts; that belongs to lrlab's cache too.
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
    with reported_once():
        status = run(sys.argv[1:] if arguments is None else list(arguments))
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # `lrlab ls | head`: Python would flush again at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status.

    LRLAB_DEBUG=1 lets unexpected exceptions through with their traceback. The process is left as it
    was: `main` prepares it.
    """
    as_json = "--json" in arguments
    try:
        # Not `app(...)`, which replaces `sys.excepthook` for good.
        command = typer.main.get_command(app)
        result = command(list(arguments), prog_name="lrlab", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else FAILED
    except BrokenPipeError:
        return 0
    except (Exception, KeyboardInterrupt) as error:
        failure = failure_of(error)
        debug = os.environ.get("LRLAB_DEBUG") not in (None, "", "0")
        if debug and failure.status != INTERRUPTED:
            raise
        report_failure(failure, as_json)
        return failure.status
