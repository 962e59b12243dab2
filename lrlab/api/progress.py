"""Progress of training on the terminal, and Ctrl-C as a request rather than an accident."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lrlab.types import Progress

QUIET_SECONDS = 10.0
"""How often a line is printed where standard error is no terminal."""


class Control(NamedTuple):
    """What a caller decides about how a job runs; no recorded number depends on it."""

    commit_every: float | None = None
    """Seconds between commits, at least; None for `lrlab.runs.stage.INTERVAL`."""

    stop: Callable[[], bool] | None = None
    """Asked after every segment: True ends the run there. None: Ctrl-C does."""


USUAL = Control()


@contextlib.contextmanager
def bar(show: bool, title: str = "training") -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on standard error: lanes alive, best loss and its LR, steps/s, time left.

    Gives a listener for `engine.train`; None where `show` is False. Without a terminal it prints a
    line every ten seconds instead.
    """
    if not show:
        yield None
    elif sys.stderr.isatty():
        with _rich_bar(title) as listener:
            yield listener
    else:
        last = [time.monotonic()]

        def line(now: Progress) -> None:
            if time.monotonic() - last[0] >= QUIET_SECONDS:
                last[0] = time.monotonic()
                print(f"{title}: {describe(now)}", file=sys.stderr, flush=True)

        yield line


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
        number = display.add_task(title, total=None, facts="compiling")

        def listener(now: Progress) -> None:
            display.update(number, total=now.total, completed=now.done, facts=describe(now))

        yield listener


def describe(now: Progress) -> str:
    """One line about a run that is under way.

    >>> describe(Progress(10, 100, 7, 8, 0.25, 0.01, 1234.0))
    '7 of 8 lanes alive, best loss 0.25 at lr 0.01, 1,234 steps/s'
    """
    return (
        f"{now.alive:,} of {now.lanes:,} lanes alive, best loss {now.best_loss:.3g} "
        f"at lr {now.best_lr:.3g}, {now.steps_per_second:,.0f} steps/s"
    )


@contextlib.contextmanager
def interruptible(stop: Callable[[], bool] | None = None) -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends the run after its segment; a second one ends it at once.

    Gives a function that says whether Ctrl-C was pressed. Outside the main thread signals cannot be
    caught, and the function is always False. Where the caller has a `stop` of its own, that is the
    function, and Ctrl-C is not caught.
    """
    if stop is not None:
        yield stop
        return
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    pressed: list[int] = []
    before: Any = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: Any) -> None:
        if pressed:
            signal.signal(signal.SIGINT, before)
            raise KeyboardInterrupt
        pressed.append(number)
        print("Stopping after this segment; Ctrl-C again to stop at once.", file=sys.stderr)

    signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
