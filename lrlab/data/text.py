"""Text as bytes: windows of a file, or of Python's own standard library."""

from __future__ import annotations

import hashlib
import platform
import sysconfig
from pathlib import Path

import numpy as np

from lrlab.data.dataset import DataError, Raw
from lrlab.data.textfile import content_of

MAX_BYTES = 1 << 30


def stdlib(*, context: int = 64) -> Raw:
    """Python's standard library: its top-level modules as one text of bytes (about 4.7 MB).

    The `.py` files beside `os.py`, by name, one after another. The text differs between versions of
    Python; its SHA-256 and the version are recorded. Held out is the end of the text.
    """
    folder = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(folder.glob("*.py"))
    if not files:
        raise DataError(f"{folder}: holds no Python sources; use text:PATH instead")
    content = b"".join(file.read_bytes() for file in files)
    origin = {"python": platform.python_version(), "files": len(files), "bytes": len(content)}
    return _windows(content, context, "Python's standard library", "PSF-2.0", origin)


def text(path: Path, *, context: int = 64, max_bytes: int = MAX_BYTES) -> Raw:
    """Text file: its bytes in windows of `context`; held out is the end of the file."""
    content = content_of(path, max_bytes)
    return _windows(
        content,
        context,
        str(path),
        "not stated by the file",
        {"path": str(path), "bytes": len(content)},
    )


def _windows(
    content: bytes, context: int, place: str, license: str, origin: dict[str, str | int]
) -> Raw:
    """Windows side by side: inputs int32[N, context], targets the same one byte later."""
    if isinstance(context, bool) or not isinstance(context, int) or context < 1:
        raise DataError(
            f"{place}: context must be a whole number of at least 1, got {context!r}", "context"
        )
    count = (len(content) - 1) // context
    if count < 2:
        raise DataError(
            f"{place}: {len(content)} bytes make fewer than two windows of {context} + 1 bytes; "
            "use a longer text or a shorter context",
            "context",
        )
    tokens = np.frombuffer(content, np.uint8).astype(np.int32)
    x = tokens[: count * context].reshape(count, context)
    y = tokens[1 : count * context + 1].reshape(count, context)
    return Raw(
        splits={"train": (x, y)},
        kind="tokens",
        license=license,
        origin=origin,
        sha256=hashlib.sha256(content).hexdigest(),
        num_classes=256,
        contiguous=True,
    )
