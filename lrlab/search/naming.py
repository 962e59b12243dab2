"""Values of further lane axes in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def named(labels: Mapping[str, Sequence[str]], axis: str, value: float) -> float | str:
    """A value of a lane axis; its name where the axis has names."""
    return str(labels[axis][int(value)]) if axis in labels else float(value)


def in_words(at: Mapping[str, float | str]) -> str:
    """A combination for a sentence.

    >>> in_words({"momentum": 0.9, "schedule": "wsd, cooldown 0.3"})
    "momentum 0.9, schedule 'wsd, cooldown 0.3'"
    """
    parts = []
    for name, value in at.items():
        if isinstance(value, str):
            parts.append(f"{name} {value!r}" if " " in value else f"{name} {value}")
        else:
            parts.append(f"{name} {value:g}")
    return ", ".join(parts)
