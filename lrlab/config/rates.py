"""What is wrong with several learning rates that are to be searched."""

from __future__ import annotations

from lrlab.config.lanes import values
from lrlab.config.options import Found
from lrlab.core.text import Table, show


def searched(rates: Table, raw: Table, command: str) -> Found:
    """Several rates that are searched: of each where to look, or one number that is held."""
    if command != "find":
        if rates:
            yield ("lr",), f"{command} searches one learning rate; find and sweep take several"
        return
    looked = 0
    for name, form in rates.items():
        try:
            some = values(form)
        except (TypeError, ValueError):
            return  # the schema says what is wrong with it
        looked += max(some) > min(some)
        if min(some) <= 0:
            yield ("lr", name), f"find searches rates above 0, got {show(form)}"
    if rates and not looked:
        message = "find needs a range of at least one rate, for example lr.NAME = [1e-5, 0.1]"
        yield ("lr",), message
    if rates and "lr_range" in raw:
        yield ("lr_range",), "each rate has its own range: lr.NAME = [low, high]"
