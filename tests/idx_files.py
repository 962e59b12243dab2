"""IDX files as MNIST has them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

CODES = {"u1": 8, "i4": 12, "f8": 14}
"""NumPy's type -> the number that stands for it in the header."""


def write_idx(
    path: Path,
    array: np.ndarray,
    cut: int | None = None,
    tail: bytes = b"",
    zipped: bool | None = None,
) -> bytes:
    """Writes an array, cut off after `cut` bytes or with a tail, and returns the whole content;
    `zipped` None: as the file's name says."""
    code = CODES[array.dtype.str[1:]]
    head = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    content = head + array.astype(array.dtype.newbyteorder(">")).tobytes() + tail
    if path.suffix == ".gz" if zipped is None else zipped:
        content = gzip.compress(content, mtime=0)
    path.write_bytes(content[:cut])
    return content
