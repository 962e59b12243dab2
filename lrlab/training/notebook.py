"""Progress in a notebook: one line that changes, and says at the end how long it took."""

from __future__ import annotations

import contextlib
import html
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from lrlab.core.text import duration

OFTEN_SECONDS = 0.5
"""The line changes no more often: each change is a message to the browser, kept with the page."""


def in_notebook() -> bool:
    """Whether this process answers a notebook, whose cells show more than text."""
    ipython = sys.modules.get("IPython")  # whoever is in a notebook has it loaded
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


@contextlib.contextmanager
def notebook_line(title: str) -> Iterator[Callable[[str, float], None]]:
    """A line of the running cell's output. Gives `update(words, share done)`."""
    from IPython.display import display

    began = last = time.monotonic()
    handle: Any = display(_Line(f"{title}: compiling", 0.0), display_id=True)

    def update(words: str, share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= OFTEN_SECONDS:
            last = now
            handle.update(_Line(f"{title}: {words}", share))

    try:
        yield update
    except BaseException:
        handle.update(_Line(f"{title}: ended after {duration(time.monotonic() - began)}", None))
        raise
    handle.update(_Line(f"{title}: done in {duration(time.monotonic() - began)}", None))


class _Line:
    """A line with a bar; a class, since a notebook asks objects how they look."""

    def __init__(self, words: str, share: float | None) -> None:
        self.words, self.share = words, share

    def _repr_html_(self) -> str:
        bar = (
            ""
            if self.share is None
            else (
                '<progress max="1" style="vertical-align:middle;width:10em;margin-right:.8em" '
                f'value="{min(self.share, 1.0):.3f}"></progress>'
            )
        )
        return f'<div style="opacity:.75;font-size:90%">{bar}{html.escape(self.words)}</div>'

    def __repr__(self) -> str:
        return self.words
