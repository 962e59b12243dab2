"""The command that installs what is optional: one wording for every message."""

from __future__ import annotations


def install(extra: str) -> str:
    """The command that installs an extra of lrlab, quoted for any shell.

    >>> install("xarray")
    "pip install 'lrlab[xarray]'"
    """
    return f"pip install 'lrlab[{extra}]'"
