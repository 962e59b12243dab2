"""What an exception means to the caller: an exit status, and every problem in one shape."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import typer

from lrlab import config
from lrlab.cli.output import emit
from lrlab.core.errors import (
    ConfigError,
    FieldError,
    Interrupted,
    Problem,
    RunError,
    StreamError,
    Unwritable,
    WorkerError,
)
from lrlab.core.paths import shown
from lrlab.runs import onward

DONE, UNLIKE, BAD_INPUT, FAILED, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses; `UNLIKE`: what was checked (`verify`, `reproduce`) came out differently."""


class CommandError(Exception):
    """What ended a command, with what the command knows of it.

    `experiment` and `path`: what it was about, and the file or folder; `run`: the folder of a run
    that is unfinished.
    """

    def __init__(
        self,
        error: BaseException,
        experiment: config.Experiment | None,
        path: str,
        run: Path | None = None,
    ) -> None:
        super().__init__(error)
        self.error, self.experiment, self.path, self.run = error, experiment, path, run


class Failure(NamedTuple):
    """An error as the command line reports it."""

    status: int
    message: str
    problems: tuple[Problem, ...] = ()


@contextlib.contextmanager
def placed(experiment: config.Experiment | None, path: str) -> Iterator[list[Path]]:
    """Errors from inside say which experiment and file they are about, for `main` to name both.

    Gives a list for the folder of the run that is left unfinished (`Control.unfinished`).

    Raises:
        CommandError: whatever went wrong inside, except for problems that have their places.
    """
    unfinished: list[Path] = []
    try:
        yield unfinished
    except (ConfigError, BrokenPipeError):
        raise
    except (Exception, KeyboardInterrupt) as error:  # of the latter typer would say nothing
        run = unfinished[-1] if unfinished else None
        raise CommandError(error, experiment, path, run) from error


def report_failure(failure: Failure, as_json: bool) -> None:
    """Plain lines on standard error, and with `--json` an object on standard output."""
    lines = [str(problem) for problem in failure.problems] or [failure.message]
    if as_json:
        problems = [problem._asdict() for problem in failure.problems]
        emit({"error": failure.message, "problems": problems})
    style = "bold red" if failure.status in (BAD_INPUT, FAILED) else "bold yellow"
    for line in lines:
        if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
            from rich.console import Console
            from rich.text import Text

            Console(stderr=True, highlight=False).print(Text(line, style=style), soft_wrap=True)
        else:
            print(line, file=sys.stderr)


def failure_of(
    error: BaseException,
    experiment: config.Experiment | None = None,
    path: str = "",
    run: Path | None = None,
) -> Failure:
    """What an exception means to the caller.

    Input that is refused (`ValueError`, a file that is not there) is exit status 2, an interruption
    130, anything else 3.
    """
    if isinstance(error, CommandError):
        return failure_of(error.error, error.experiment, error.path, error.run)
    if isinstance(error, ConfigError):
        count = len(error.problems)
        words = "1 problem" if count == 1 else f"{count} problems"
        return Failure(BAD_INPUT, f"{words} in the input", error.problems)
    if isinstance(error, (KeyboardInterrupt, Interrupted, typer.Abort)):
        more = f"; {onward(run)}" if run else ""
        return Failure(INTERRUPTED, f"interrupted{more}")
    if isinstance(
        error, (Unwritable, StreamError, WorkerError)
    ):  # full disk, a loader that fails: the input
        # was right when it was looked at
        more = f"; {onward(run)}" if run else ""
        return Failure(FAILED, f"the run failed: {error}{more}")
    if hasattr(error, "format_message"):  # typer: a missing argument, an unknown option
        message = error.format_message()  # type: ignore[attr-defined]
        return Failure(BAD_INPUT, message, (Problem("lrlab", None, "", message),))
    message = str(error) or type(error).__name__
    if isinstance(error, (ValueError, FileNotFoundError, NotADirectoryError)):
        problem = _problem(error, message, experiment, path)
        return Failure(BAD_INPUT, "1 problem in the input", (problem,))
    more = f"; what was committed stands: {onward(run)}" if run else ""
    return Failure(FAILED, f"the run failed: {type(error).__name__}: {message}{more}")


def _problem(
    error: Exception, message: str, experiment: config.Experiment | None, path: str
) -> Problem:
    """A refusal from further down, with the place of the field that it is about."""
    if isinstance(error, RunError) and error.place:
        return Problem(shown(error.place), None, "", error.text)
    if experiment is None or isinstance(error, RunError):
        return Problem(shown(path) if path else "lrlab", None, "", message)
    if isinstance(error, FieldError):
        return config.problem_of(experiment, error)
    return config.problem(experiment, "task", message)
