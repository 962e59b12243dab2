"""What the commands print: one JSON object, or words for people; errors in one shape."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from lrlab.core.errors import ConfigError, FieldError, Interrupted, Problem, RunError, Unwritable
from lrlab.core.paths import shown
from lrlab.runs.onward import onward

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""What would move a terminal's cursor or change its colors; line ends may."""

DONE, BAD_INPUT, FAILED, INTERRUPTED = 0, 2, 3, 130


class CommandError(Exception):
    """What ended a command, with what the command knows of it.

    `experiment` and `path`: what it was about, and the file or folder; `run`: the folder of a run
    that is unfinished.
    """

    def __init__(
        self, error: BaseException, experiment: Any, path: str, run: Path | None = None
    ) -> None:
        super().__init__(error)
        self.error, self.experiment, self.path, self.run = error, experiment, path, run


class Failure(NamedTuple):
    """An error as the command line tells it."""

    status: int
    message: str
    problems: tuple[Problem, ...] = ()


def emit(payload: Mapping[str, Any]) -> None:
    """One JSON object on standard output; what is not finite becomes null."""
    print(json.dumps(jsonable(payload), allow_nan=False))


def jsonable(value: Any) -> Any:
    """Plain JSON types: arrays as lists, NaN and infinities as None.

    >>> import numpy as np
    >>> jsonable({"lr": np.array([0.1, np.nan]), "n": np.int64(2)})
    {'lr': [0.1, None], 'n': 2}
    """
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        value = value.tolist()
    if isinstance(value, (list, tuple, set)):
        return [jsonable(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def tell(failure: Failure, as_json: bool) -> None:
    """An error: plain lines on standard error, and with `--json` an object on standard output."""
    lines = [str(problem) for problem in failure.problems] or [failure.message]
    if as_json:
        problems = [problem._asdict() for problem in failure.problems]
        emit({"error": failure.message, "problems": problems})
    word = {BAD_INPUT: "bold red", FAILED: "bold red"}.get(failure.status, "bold yellow")
    for line in lines:
        if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
            from rich.console import Console
            from rich.text import Text

            Console(stderr=True, highlight=False).print(Text(line, style=word), soft_wrap=True)
        else:
            print(line, file=sys.stderr)


def failure_of(
    error: BaseException, experiment: Any = None, path: str = "", run: Path | None = None
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
    if isinstance(error, Unwritable):  # full disk, permission: nothing is wrong with input
        more = f"; {onward(run)}" if run else ""
        return Failure(FAILED, f"the run failed: {error}{more}")
    if hasattr(error, "format_message"):  # typer: a missing argument, an unknown option
        message = error.format_message()  # type: ignore[attr-defined]
        return Failure(BAD_INPUT, message, (Problem("lrlab", None, "", message),))
    message = str(error) or type(error).__name__
    if isinstance(error, (ValueError, FileNotFoundError, NotADirectoryError)):
        problem = _placed(error, experiment, path)
        return Failure(BAD_INPUT, "1 problem in the input", (problem,))
    more = f"; what was committed stands: {onward(run)}" if run else ""
    return Failure(FAILED, f"the run failed: {type(error).__name__}: {message}{more}")


def _placed(error: Exception, experiment: Any, path: str) -> Problem:
    """A refusal from further down, with the place of the field that it is about."""
    message = str(error) or type(error).__name__
    if isinstance(error, RunError) and error.place:
        return Problem(shown(error.place), None, "", error.text)
    if experiment is None or isinstance(error, RunError):
        return Problem(shown(path) if path else "lrlab", None, "", message)
    from lrlab.config import problem, problem_of

    if isinstance(error, FieldError):
        return problem_of(experiment, error)
    return problem(experiment, "task", message)


def console() -> Any:
    """Where people read results: standard output, wide when it is not a terminal."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str) -> Any:
    """A quiet table: no box, the first column in bold."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=caption,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for number, column in enumerate(columns):
        last = number == len(columns) - 1
        made.add_column(column, no_wrap=not last, style="bold cyan" if number == 0 else "")
    for row in rows:
        made.add_row(*(Text(_CONTROL.sub("?", str(cell))) for cell in row))
    return made
