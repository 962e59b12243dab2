"""Text that a person wrote: read whole, whatever its editor put in front."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import zlib
from pathlib import Path

from lrlab.data.checks import no_file
from lrlab.data.dataset import DataError

_GZIP = b"\x1f\x8b"
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


BEGINNING = 1 << 20
"""Bytes of a file that are read where only its first lines are of interest."""


def beginning(path: Path) -> str:
    """The whole lines among a text file's first `BEGINNING` bytes, unpacked where it is gzip.

    Raises:
        DataError: no such file, or not text.
    """
    if not path.is_file():
        raise DataError(f"{path}: {no_file(path)}")
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == _GZIP
            plain.seek(0)
            if zipped:
                with gzip.GzipFile(fileobj=plain) as unzipped:
                    content = unzipped.read(BEGINNING)
            else:
                content = plain.read(BEGINNING)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    encoding = _WIDE.get(content[:2], "utf-8-sig")
    text = content.decode(encoding, "replace")
    return text if len(content) < BEGINNING else text[: text.rfind("\n") + 1] or text


def decoded(path: Path, max_bytes: int) -> tuple[str, str]:
    """A text file's characters, without a byte order mark, and the SHA-256 of its bytes. UTF-8, or
    UTF-16 where the file says so itself; unpacked where it is gzip, whatever its name.

    Raises:
        DataError: no such file, too large (unpacked, too), damaged, or not text.
    """
    packed = content_of(path, max_bytes)
    content = _unpacked(packed, path, max_bytes) if packed[:2] == _GZIP else packed
    encoding = _WIDE.get(content[:2], "utf-8-sig")
    try:
        return content.decode(encoding), hashlib.sha256(packed).hexdigest()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not {encoding.removesuffix('-sig').upper()} text (byte {error.start}); "
            "is it a CSV file? Save it as UTF-8"
        ) from None


def _unpacked(packed: bytes, path: Path, max_bytes: int) -> bytes:
    """The content of a gzip file, never more of it than `max_bytes` and one byte."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            content = file.read(max_bytes + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: damaged or cut off ({error}); fetch the file again") from error
    if len(content) > max_bytes:
        raise DataError(
            f"{path}: unpacks to more than the limit of {max_bytes:,} bytes (option max_bytes)",
            "max_bytes",
            also="path",
        )
    return content
