"""The application: its commands, and `main`, which turns exceptions into exit statuses."""

from __future__ import annotations

import io
import logging
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
    doctor_checks,
    export,
    find,
    gc,
    importing,
    init,
    ls,
    merge,
    plan,
    preview,
    range_test,
    replay,
    report,
    reproduce,
    resume,
    rm,
    show,
    study,
    sweep,
    ui,
    verify,
    watch,
)  # fmt: skip
from lrlab.cli.collection import collected_seldom
from lrlab.cli.failures import FAILED, INTERRUPTED, failure_of, report_failure
from lrlab.core.paths import cache_folder
from lrlab.runs.orbax_logging import reported_once

PANELS = {
    "Train": (
        init.init, find.find, sweep.sweep, range_test.range_test, compare.compare, plan.plan,
        resume.resume, study.study, reproduce.reproduce, replay.replay,
    ),
    "Look": (
        preview.preview, show.show, watch.watch, ui.ui, report.report, export.export, merge.merge,
        ls.ls, doctor.doctor, verify.verify, bench.bench,
    ),
    "Tidy up": (rm.rm, gc.gc),
}  # fmt: skip
"""Every command, by its place in `lrlab --help`; its name is the function's."""

app = typer.Typer(
    name="lrlab",
    help="A laboratory for learning rates: which one to train with, how sure that is, and why.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

for _panel, _commands in PANELS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.add_typer(importing.app, name="import", rich_help_panel="Look")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lrlab {__version__} ({doctor_checks.jax_in_short()})")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the versions."),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a check came out differently, 2 bad input, 3 the run
    failed, 130 interrupted."""
    # Matplotlib keeps a list of fonts; that belongs to lrlab's cache too.
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
    quiet_libraries()
    collected_seldom()
    for stream in (sys.stdout, sys.stderr):  # of cp1252, say, which has no blocks for curves
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    with reported_once():
        status = run(sys.argv[1:] if arguments is None else list(arguments))
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # `lrlab ls | head`: Python would flush again at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(status)


def quiet_libraries() -> None:
    """XLA and absl say what is an error; the rest is not for whoever asked for a learning rate.
    `TF_CPP_MIN_LOG_LEVEL=0` in the environment has it back."""
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = (
        "2"  # 0: everything, 1: from warnings on, 2: from errors on
    )
    logging.getLogger("absl").setLevel(logging.ERROR)


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
