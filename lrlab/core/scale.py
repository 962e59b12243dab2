"""In what regret is measured: in the loss, as a share of what training gains, or in its log."""

from __future__ import annotations

GAIN, LOG = "gain", "log"
"""`gain`: a share of initial minus best; `log`: the same of the logarithms, for losses that span
decades."""


def checked(scale: object) -> str:
    """A scale as it is written.

    Raises:
        ValueError: anything else.

    >>> checked("log")
    'log'
    """
    if isinstance(scale, str) and scale in (GAIN, LOG):
        return scale
    raise ValueError(
        'must be "gain" (regret as a share of what training gains) or "log" (of what it gains in '
        f"the log of the loss, for losses that span decades), got {scale!r}"
    )


def in_words(scale: str, metric: str) -> str:
    """A sentence on the scale; nothing for the usual one.

    >>> in_words("log", "valid_loss"), in_words("gain", "valid_loss")
    ('Regret is measured in the log of valid_loss.', '')
    """
    return f"Regret is measured in the log of {metric}." if scale == LOG else ""
