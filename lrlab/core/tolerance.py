"""What a learning rate may cost and be good enough, and how sure of that a search should be."""

from __future__ import annotations

from lrlab.core.text import percent

TOLERANCE = 0.01
"""The usual tolerance: a share of what training gains, from the initial metric to the best. One
percent is less than most people would tune for."""

CONFIDENCE = 0.9
"""The usual probability, that the recommended rate costs no more, at which a search stops."""


def level_of(tolerance: float | None, resolved: float | None) -> float:
    """What the rates of an answer's interval cost at most, as a share of what training gains; 0
    where neither is known.

    >>> level_of(0.01, 0.004), level_of(0.01, 0.029), level_of(None, None)
    (0.01, 0.029, 0.0)
    """
    return max(tolerance or 0.0, resolved or 0.0)


def is_informative(tolerance: float | None, resolved: float | None) -> bool:
    """Whether an answer's interval says anything of its rates: not where they may cost all that
    training gains.

    >>> is_informative(0.01, 0.029), is_informative(0.01, 1.0), is_informative(None, None)
    (True, False, True)
    """
    return level_of(tolerance, resolved) < 1


def level_in_words(tolerance: float | None, resolved: float | None) -> str:
    """The same in words.

    >>> level_in_words(0.01, 0.029), level_in_words(None, None), level_in_words(0.01, 1.2)
    ('2.9 %', 'the tolerance', 'all that training gains')
    """
    level = level_of(tolerance, resolved)
    if level >= 1:
        return "all that training gains"
    return percent(level) if level > 0 else "the tolerance"
