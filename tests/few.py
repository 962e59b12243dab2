"""Suites over long lists: a few cases in the default tests, all of them with the slow ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def few(cases: Iterable[Any], count: int) -> list[Any]:
    """The cases as `pytest.mark.parametrize` takes them: `count` of them, spread evenly, are tested
    by default; the others are marked slow. A tuple holds one value for each parameter."""
    cases = list(cases)
    last = max(count - 1, 1)
    chosen = {round(number * (len(cases) - 1) / last) for number in range(count)}
    return [_case(case, place not in chosen) for place, case in enumerate(cases)]


def _case(case: Any, slow: bool) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=(pytest.mark.slow,) if slow else ())
