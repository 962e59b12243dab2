"""Docstrings as the site shows them: an example becomes a block of code.

A doctest of ours stands at the end of a docstring without a heading, where Markdown would take
`>>>` for a quotation.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^>>> .*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


def fenced(text: str) -> str:
    """A docstring with its examples as blocks of code.

    >>> fenced("One.\\n\\n>>> 1 + 1\\n2").splitlines()
    ['One.', '', '```pycon', '>>> 1 + 1', '2', '```']
    """
    return _EXAMPLE.sub(lambda match: f"```pycon\n{match[0]}\n```", text)


class Examples(griffe.Extension):
    """What mkdocstrings calls for every object; a class, because Griffe takes nothing else."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fences the examples of an object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
