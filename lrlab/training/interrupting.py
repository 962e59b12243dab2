"""Ctrl-C, and a cluster's notice (SIGTERM), as a request rather than an accident; and a way out
that no device program can block."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

GRACE = 2.0
"""Seconds from the second Ctrl-C to the end of a process that does not answer."""

STATUS = 130
"""The exit status of an interrupted process."""


@contextlib.contextmanager
def interruptible(stop: Callable[[], bool] | None = None) -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends the run after its segment; a second one ends it at once.

    SIGTERM, by which clusters say that a process will be killed soon, ends it after its segment
    too, however often it comes, where nobody else handles it. Gives a function that says whether
    either came. The second one raises KeyboardInterrupt;
    where the main thread waits for a device and cannot take it, the process ends with status 130.
    In interactive sessions (a notebook, a prompt), whose variables would be lost, the third one
    does. Handlers are as before afterwards. Outside the main thread, where signals cannot be
    caught, and where Ctrl-C is ignored or handled outside of Python, nothing changes, and the
    function is always False. Where the caller has a `stop` of its own, that is the function, and
    Ctrl-C is not caught.
    """
    if stop is not None:
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or before is None or before == signal.SIG_IGN:
        yield lambda: False
        return
    pressed: list[int] = []  # as the watcher sees it, also while the main thread is in C
    handled: list[int] = []
    noticed: list[int] = []
    left = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        noticed.append(number)
        _say("Asked to end (SIGTERM): stopping after this segment.")

    def handle(number: int, frame: FrameType | None) -> None:
        handled.append(number)
        if max(len(handled), len(pressed)) > 1:
            signal.signal(signal.SIGINT, before)
            raise KeyboardInterrupt

    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.signal(signal.SIGINT, handle)
    alone = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if alone:
        signal.signal(signal.SIGTERM, ask)
    wakes = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(
        target=_watch, args=(reading, pressed, left, wakes), name="lrlab-interrupt", daemon=True
    )
    watcher.start()
    try:
        yield lambda: bool(pressed or handled or noticed)
    finally:
        left.set()
        signal.set_wakeup_fd(wakes)
        signal.signal(signal.SIGINT, before)
        if alone:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        writing.close()
        watcher.join()
        reading.close()


def _watch(reading: socket.socket, pressed: list[int], left: threading.Event, wakes: int) -> None:
    """Counts the signals that the C handler reports, whatever the main thread does."""
    while numbers := reading.recv(64):
        for number in numbers:
            if number != signal.SIGINT:
                if wakes >= 0:  # whoever listened before us still hears of the others
                    with contextlib.suppress(OSError):
                        os.write(wakes, bytes([number]))
                continue
            pressed.append(number)
            if len(pressed) == 1:
                _say("Stopping after this segment; Ctrl-C again to stop at once.")
            elif len(pressed) > 2 or not _interactive():
                if not left.wait(GRACE):
                    _end()
            else:
                _say("Stopping as soon as the device answers; Ctrl-C again to end the process.")


def _interactive() -> bool:
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or "ipykernel" in sys.modules


def _say(message: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(message, file=sys.stderr, flush=True)


def _end() -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        _say("\x1b[?25h")  # a progress bar hides the cursor
    os._exit(STATUS)
