"""What libraries print about a checkpoint that cannot be written, kept off standard error.

`save_checkpoint` gets the same error as an exception and reports it in one sentence. Beside it
orbax logs a traceback for every thread that took part, and tensorstore prints one for each write
that ends after orbax has closed the event loop that waited for it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import traceback
from collections.abc import Iterator

_INSIDE: list[contextlib.ExitStack] = []
"""One entry per context that lasts, in any thread: the one that leaves them out, held by each."""

_LOCK = threading.Lock()


@contextlib.contextmanager
def reported_once() -> Iterator[None]:
    """Leaves out those two kinds of message, and nothing else, while the context lasts.

    Every checkpoint is written inside it. The command line runs each command inside it too, because
    a write may end after its error was reported. Contexts of several threads may overlap in any
    order: the last one that ends puts back what was there before the first.
    """
    with _LOCK:
        _INSIDE.append(_INSIDE[0] if _INSIDE else _leaving_out())
    try:
        yield
    finally:
        with _LOCK:
            last = _INSIDE.pop()
            if not _INSIDE:
                last.close()


def _leaving_out() -> contextlib.ExitStack:
    """Leaves the messages out until it is closed."""
    logger, before = logging.getLogger("absl"), sys.unraisablehook

    def of_no_thread(record: logging.LogRecord) -> bool:
        return "_SignalingThread.run() raised" not in record.getMessage()

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if not closed_too_early(unraisable.exc_value):
            before(unraisable)

    def put_back() -> None:
        if sys.unraisablehook is hook:  # else somebody else's, who ends it
            sys.unraisablehook = before

    logger.addFilter(of_no_thread)
    sys.unraisablehook = hook
    stack = contextlib.ExitStack()
    stack.callback(logger.removeFilter, of_no_thread)
    stack.callback(put_back)
    return stack


def closed_too_early(error: BaseException | None) -> bool:
    """Whether this is a call into a closed event loop that no Python code made: the end of a write
    for which nothing waits any more.

    >>> closed_too_early(RuntimeError("Event loop is closed"))
    False
    """
    if not isinstance(error, RuntimeError) or str(error) != "Event loop is closed":
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[0].name == "call_soon_threadsafe"
