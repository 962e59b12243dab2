"""What a run's precision means: the dtypes of records, of parameters, of a model's arithmetic."""

from __future__ import annotations

from typing import NamedTuple


class Precision(NamedTuple):
    """`dtype`: losses, scalars of a lane, optimizer and records; `parameters`: those that are
    trained, and what the optimizer keeps of them (None: `dtype`); `compute`: what a model computes
    in (None: the parameters' own)."""

    dtype: str
    parameters: str | None = None
    compute: str | None = None


PRECISIONS: dict[str, Precision] = {
    "float32": Precision("float32"),
    "float64": Precision("float64"),
    "bfloat16": Precision("float32", "bfloat16", "bfloat16"),
    "mixed": Precision("float32", None, "bfloat16"),
}
"""By the name that an experiment gives. "mixed": parameters, optimizer and loss in float32, the
model in bfloat16 (Micikevicius et al. 2018, arXiv 1710.03740; bfloat16 needs no loss scale)."""


def dtype_of(precision: str) -> str:
    """The dtype of a run's records.

    >>> dtype_of("mixed"), dtype_of("float64")
    ('float32', 'float64')
    """
    return PRECISIONS[precision].dtype
