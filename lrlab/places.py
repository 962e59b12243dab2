"""Where lrlab writes besides run folders."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$LRLAB_CACHE`, else `lrlab` in `$XDG_CACHE_HOME` or `~/.cache`."""
    given = os.environ.get("LRLAB_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lrlab"
