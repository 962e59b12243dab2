"""Progress of training on the terminal."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lrlab.core import compiling
from lrlab.training.notebook import in_notebook, notebook_line
from lrlab.types import Progress

QUIET_SECONDS = 10.0
"""How often a line is printed where standard error is no terminal."""


WORTH_SAYING = 0.05
"""The share of time spent waiting for data from which on it is said: below, nothing is gained."""


class Control(NamedTuple):
    """What a caller decides about how a job runs, and what is called when it ends unfinished; no
    recorded number depends on it."""

    commit_every: float | None = None
    """Seconds between commits, at least; None for `lrlab.runs.recorder.INTERVAL`."""

    stop: Callable[[], bool] | None = None
    """Asked after every segment: True ends the run there. None: Ctrl-C does."""

    part: bool = False
    """Whether the run is a part of another one (a comparison, a study), which says for both that
    they are unfinished."""

    unfinished: Callable[[Path], None] | None = None
    """Called with the folder of a run that an error or Ctrl-C leaves unfinished."""


USUAL = Control()


@contextlib.contextmanager
def bar(show: bool, title: str = "training") -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on standard error: lanes alive, best loss and its LR, steps/s, time left.

    Gives a listener for `engine.train`; None where `show` is False. A notebook has one line that
    changes; where there is neither, a line is printed every ten seconds.
    """
    if not show:
        yield None
    elif in_notebook():
        with notebook_line(title) as update:
            yield lambda now: update(describe(now), now.done / max(now.total, 1))
    elif sys.stderr.isatty():
        with _rich_bar(title) as listener:
            yield listener
    else:
        with _lines(title) as listener:
            yield listener


@contextlib.contextmanager
def _lines(title: str) -> Iterator[Callable[[Progress], None]]:
    """A line every ten seconds, while a program compiles too."""
    last, over = [time.monotonic()], threading.Event()

    def line(text: str) -> None:
        last[0] = time.monotonic()
        print(f"{title}: {text}", file=sys.stderr, flush=True)

    def listener(now: Progress) -> None:
        if time.monotonic() - last[0] >= QUIET_SECONDS:
            line(describe(now))

    def watch() -> None:  # training calls the listener; whoever compiles is busy
        while not over.wait(QUIET_SECONDS / 10):
            long = (compiling.seconds() or 0.0) >= QUIET_SECONDS
            if long and time.monotonic() - last[0] >= QUIET_SECONDS:
                line(_compiling())

    thread = threading.Thread(target=watch, name="lrlab progress", daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        over.set()
        thread.join()


class _Facts(NamedTuple):
    """What stands beside a bar, asked each time it is drawn: that a program compiles, or else what
    `known` says."""

    known: list[str]

    def __str__(self) -> str:
        return _compiling() or self.known[-1]


def _compiling() -> str:
    """That a program compiles, and for how long; "" where none does."""
    seconds = compiling.seconds()
    return "" if seconds is None else f"compiling ({seconds:.0f} s)"


@contextlib.contextmanager
def _rich_bar(title: str) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Display

    display = Display(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[facts]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    with display:
        known = ["starting"]
        number = display.add_task(title, total=None, facts=_Facts(known))

        def listener(now: Progress) -> None:
            known.append(describe(now))
            del known[:-1]
            display.update(number, total=now.total, completed=now.done)

        yield listener


def describe(now: Progress) -> str:
    """One line about a run that is under way.

    >>> describe(Progress(10, 100, 7, 8, 0.25, 0.01, 1234.0))
    '7 of 8 lanes alive, best loss 0.25 at lr 0.01, 1,234 steps/s'
    >>> describe(Progress(10, 100, 7, 8, 0.25, 0.01, 0.0))  # before there is a pace
    '7 of 8 lanes alive, best loss 0.25 at lr 0.01'
    >>> describe(Progress(10, 100, 7, 8, 0.25, 0.01, 1234.0, 0.4)).rpartition(", ")[2]
    'waiting for data 40 %'
    >>> describe(Progress(10, 100, 7, 8, 0.25, 0.01, 1234.0, workers=(6, 8))).split(", ")[:2]
    ['6 of 8 workers', '7 of 8 lanes alive']
    """
    workers = "" if now.workers is None else "{} of {} workers, ".format(*now.workers)
    waiting = f", waiting for data {100 * now.waiting:.0f} %" if now.waiting >= WORTH_SAYING else ""
    pace = f", {now.steps_per_second:,.0f} steps/s" if now.steps_per_second >= 0.5 else ""
    return (
        f"{workers}{now.alive:,} of {now.lanes:,} lanes alive, best loss {now.best_loss:.3g} "
        f"at lr {now.best_lr:.3g}{pace}{waiting}"
    )
