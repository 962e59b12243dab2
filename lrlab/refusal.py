"""An error that knows which field of an experiment it is about."""

from __future__ import annotations


class FieldError(ValueError):
    """Bad input, found below the configuration: `field` is its path, such as "optimizer.beta".

    >>> FieldError("optimizer", "gives no transformation").field
    'optimizer'
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
