"""What is wrong with a configuration, and where: all problems are reported at once."""

from __future__ import annotations

import json
from typing import Any


def show(value: Any) -> str:
    """A value as a person would write it in TOML, shortened."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
