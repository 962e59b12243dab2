"""What a published case gives back, and how its numbers are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

from lrlab.core.text import JsonObject


class Verdict(NamedTuple):
    """One published claim, reproduced. Numbers are plain Python; `seconds` is filled in by `run`.

    `source`: paper, year, arXiv number; shown on the page.
    `figure`: a dict with `x`, `xlabel`, `ylabel`, `log` (axes to draw in logarithms: "", "x", "y",
    "xy") and `lines`, name -> list as long as `x` (None: a gap); where wanted `points`, name ->
    [x, y] lists of published values, and `level`, {"y", "label"}: a horizontal line. Or with
    `image`, rows of whole numbers from 0, their `names`, and the `extent` of the axes.
    """

    name: str
    claim: str
    published: object
    measured: object
    tolerance: str
    passed: bool
    seconds: float = 0.0
    figure: Mapping[str, Any] = {}
    source: str = ""


def data(name: str) -> JsonObject:
    """The published numbers of the case `name`, from the package's own files."""
    path = resources.files("lrlab.verify") / "data" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))
