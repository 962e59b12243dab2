"""What is wrong with a configuration, and where: all problems are reported at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` where something close is known, else `""`.

    >>> did_you_mean("cosin", ["cosine", "linear"])
    "; did you mean 'cosine'?"
    """
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:
        close = [name for name in known if name.lower() == word.lower()]
    return f"; did you mean {close[0]!r}?" if close else ""


def show(value: Any) -> str:
    """A value as a person would write it in TOML, shortened."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
