"""Columns of equal length as a table of pandas, or a Parquet file: optional packages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lrlab.core.extras import install

if TYPE_CHECKING:
    import pandas
    import xarray

Columns: TypeAlias = dict[str, np.ndarray]
"""Name -> values [N], in the order of the table's columns; text has the dtype object."""


def data_frame(columns: Mapping[str, np.ndarray]) -> pandas.DataFrame:
    """The table, one row per place.

    Raises:
        ImportError: pandas is not installed.

    >>> data_frame({"lr": np.array([0.1, 1.0]), "outcome": np.array(["ok", "diverged"])}).shape
    (2, 2)
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f"this needs the package pandas: {install('pandas')}") from error
    return pandas.DataFrame(dict(columns))


def write_parquet(parts: Iterable[Mapping[str, np.ndarray]], target: str | Path) -> int:
    """Writes a table that comes in parts, one at least, as a Parquet file; what is not a number is
    null there. Gives the number of rows.

    Raises:
        ImportError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(f"this needs the package pyarrow: {install('pandas')}") from error
    count, writer = 0, None
    with contextlib.ExitStack() as stack:
        for columns in parts:
            some = pyarrow.table(
                {name: pyarrow.array(one, from_pandas=True) for name, one in columns.items()}
            )
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(str(target), some.schema))
            writer.write_table(some.cast(writer.schema))
            count += some.num_rows
    return count


def dataset(
    variables: Mapping[str, Any], coordinates: Mapping[str, Any], attributes: Mapping[str, str]
) -> xarray.Dataset:
    """An `xarray.Dataset`; its arguments are that of xarray's own.

    Raises:
        ImportError: xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError(f"this needs the package xarray: {install('xarray')}") from error
    return xarray.Dataset(variables, coordinates, attributes)
