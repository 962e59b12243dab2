"""A self-contained page: shown by notebooks, saved by scripts; and the files that it is made of."""

from __future__ import annotations

import html
import os
from importlib import resources
from pathlib import Path
from typing import NamedTuple

NOTEBOOK_HEIGHT = 720
"""Pixels of a page in a notebook: the answer and the first figure; the rest scrolls."""


class Document(NamedTuple):
    """A page that needs no other file and no network. A notebook shows it as a cell's last value.

    >>> Document("<p>one</p>")
    Document(10 characters; .save(path) writes it)
    """

    text: str

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page as a file for a browser; returns its path."""
        target = Path(path)
        target.write_text(self.text, encoding="utf-8")
        return target

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escaped(self.text)}" sandbox="allow-scripts" '
            f'allow="clipboard-write" style="width:100%;height:{NOTEBOOK_HEIGHT}px;border:0">'
            "</iframe>"
        )

    def __repr__(self) -> str:
        return f"Document({len(self.text):,} characters; .save(path) writes it)"


def asset(name: str) -> str:
    """The text of a file that belongs to the page."""
    return (resources.files("lrlab.report.html") / "assets" / name).read_text(encoding="utf-8")


def escaped(value: object) -> str:
    """Text for HTML, in attributes too.

    >>> escaped('<a href="x">')
    '&lt;a href=&quot;x&quot;&gt;'
    """
    return html.escape(str(value), quote=True)
