"""Text that a person wrote: read whole, whatever its editor put in front."""

from __future__ import annotations

import codecs
import hashlib
from pathlib import Path

from lrlab.data.checks import no_file
from lrlab.data.dataset import DataError

_WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def content_of(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file.

    Raises:
        DataError: no file, larger than `max_bytes`, or not to be read.
    """
    if not path.is_file():
        raise DataError(f"{path}: {no_file(path)}")
    size = path.stat().st_size
    if size > max_bytes:
        raise DataError(
            f"{path}: {size:,} bytes, above the limit of {max_bytes:,} (option max_bytes)",
            "max_bytes",
            also="path",
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def decoded(path: Path, max_bytes: int) -> tuple[str, str]:
    """A text file's characters, without a byte order mark, and the SHA-256 of its bytes. UTF-8, or
    UTF-16 where the file says so itself.

    Raises:
        DataError: no such file, too large, or not text.
    """
    content = content_of(path, max_bytes)
    encoding = _WIDE.get(content[:2], "utf-8-sig")
    try:
        return content.decode(encoding), hashlib.sha256(content).hexdigest()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not {encoding.removesuffix('-sig').upper()} text (byte {error.start}); "
            "is it a CSV file? Save it as UTF-8"
        ) from None
