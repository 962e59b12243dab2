"""One learning rate where a task reads several by name, or several where it reads one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lrlab.core.hyper import Missing, Reads, Recording
from lrlab.types import Hyper

MOST = 20
"""So many names of rates are looked for."""

Trace = Callable[[Callable[[Hyper], Hyper]], object]
"""Traces a task; gets a function that gives `hyper` as the task shall see it."""


def misread_rates(once: Trace) -> str | None:
    """What is wrong with the rates where a trace failed; None where it is something else.

    The trace is made again with the rates in the other form: names that are asked for then are
    those of the task, and a trace that succeeds with one rate wanted one.
    """
    given: list[str] = []
    asked: list[str] = []

    def other(hyper: Hyper) -> Hyper:
        rate: Any = hyper.get("lr")
        if isinstance(rate, Mapping):
            given[:] = list(rate)
            rate = next(iter(rate.values()))
        else:
            rate = dict.fromkeys(asked, rate)
        return Recording({**hyper, "lr": rate}, Reads(set()))

    for _ in range(MOST):
        try:
            once(other)
        except Missing as error:
            if error.inside != "lr":
                break
            asked.append(error.key)
            continue
        except Exception:  # whatever else is wrong is said of the first trace
            break
        if given:
            return (
                f'a function of the task reads hyper["lr"] as one number, and lr names '
                f'{", ".join(given)}: read them as in hyper["lr"][{given[0]!r}], or give one rate, '
                "as in lr=[0.01, 0.1]"
            )
        break
    if not asked:
        return None
    rates = ", ".join(f"{name!r}: [0.01, 0.1]" for name in asked)
    return (
        f'a function of the task reads hyper["lr"][{asked[0]!r}], and lr is one rate without a '
        f"name; give each its own: lr={{{rates}}}"
    )
