"""Arrays from a NumPy `.npz` archive, never unpickled."""

from __future__ import annotations

import contextlib
import hashlib
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from lrlab.data.checks import no_file, same_length, targets
from lrlab.data.dataset import DataError, Raw, Split
from lrlab.data.naming import kept, pairs
from lrlab.data.values import as_inputs, numbers

MAX_BYTES = 4 << 30


def npz(
    path: Path,
    *,
    kind: str | None = None,
    num_classes: int | None = None,
    inputs: str | None = None,
    target: str | None = None,
    divide: float | None = None,
    ignore: Sequence[str] = (),
    max_bytes: int = MAX_BYTES,
) -> Raw:
    """NumPy archive: arrays `x` and `y`, or `x_train`, `y_train` with `x_valid`, `x_test` beside.

    Other usual names are known too, in any case: images and labels, data and targets, `X_val`,
    `val_x`. `inputs` and `target` name others. Every array is used, or listed in `ignore` (names or
    patterns), or an error. Integer targets are labels unless `kind` says otherwise. Images of type
    uint8 (three or more dimensions, numbers beyond 1) are divided by 255, or any inputs by
    `divide`.
    """
    infos, sha256 = _contents(path, max_bytes)
    names = kept(infos, ignore, str(path)) if ignore else list(infos)
    parts = pairs(names, inputs, target, str(path))
    result = _arrays(path, {name: infos[name] for pair in parts.values() for name in pair})
    xs = {
        split: numbers(result[name], f"{path}, array {name!r}")
        for split, (name, _) in parts.items()
    }
    divisor = _divisor(xs, divide, str(path))
    splits: dict[str, Split] = {}
    for split, (_, name) in parts.items():
        y, kind = targets(result[name], f"{path}, array {name!r}", kind, num_classes)
        same_length(xs[split], y, f"{path}, {split}")
        splits[split] = as_inputs(xs[split], divisor), y
    assert kind is not None
    if kind == "classification" and num_classes is None:
        num_classes = max(int(y.max()) for _, y in splits.values()) + 1
    origin = {"path": str(path), "arrays": {split: list(pair) for split, pair in parts.items()}}
    return Raw(
        splits=splits,
        kind=kind,
        license="not stated by the file",
        origin=origin | ({} if divisor == 1 else {"divided_by": divisor}),
        sha256=sha256,
        num_classes=num_classes if kind == "classification" else None,
        scale="standard" if splits["train"][0].ndim == 2 else "none",
    )


def _divisor(xs: Mapping[str, np.ndarray], divide: float | None, place: str) -> float:
    """What the inputs of all splits are divided by: `divide`, or 255 where they are pixels."""
    if divide is not None:
        number = isinstance(divide, (int, float)) and not isinstance(divide, bool)
        if not number or not math.isfinite(divide) or divide == 0:
            raise DataError(
                f"{place}: divide must be a number other than 0, got {divide!r}", "divide"
            )
        return divide
    images = [x.dtype == np.uint8 and x.ndim > 2 for x in xs.values()]
    if any(images) and not all(images):
        types = ", ".join(f"{split} {x.dtype}" for split, x in xs.items())
        raise DataError(
            f"{place}: the inputs have different types ({types}), so that pixels from 0 to 255 "
            "is not clear; say divide = 255, or divide = 1"
        )
    return 255 if all(images) and max(int(x.max()) for x in xs.values()) > 1 else 1


def _contents(path: Path, max_bytes: int) -> tuple[dict[str, zipfile.ZipInfo], str]:
    """Every member of the archive by its array's name, and the file's SHA-256.

    Sizes are taken from the archive's directory before any data are read.

    Raises:
        DataError: missing, no archive, larger than `max_bytes`, or two members of one name.
    """
    if not path.is_file():
        raise DataError(f"{path}: {no_file(path)}")
    with _readable(path):
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            for info in infos:
                _check_size(archive, info, path)
    total = sum(info.file_size for info in infos)
    if total > max_bytes:
        raise DataError(
            f"{path}: unpacks to {total:,} bytes, above the limit of {max_bytes:,} "
            "(option max_bytes)",
            "max_bytes",
            also="path",
        )
    named: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name in named:
            raise DataError(
                f"{path}: holds two arrays named {name!r}; save it again under one name"
            )
        named[name] = info
    if not named:
        raise DataError(f"{path}: the archive holds no arrays")
    return named, sha256


def _arrays(path: Path, infos: Mapping[str, zipfile.ZipInfo]) -> dict[str, np.ndarray]:
    """The arrays; their sizes are checked against their headers, and nothing is unpickled.

    Raises:
        DataError: damaged, or object arrays.
    """
    with _readable(path), zipfile.ZipFile(path) as archive:
        return {name: _member(archive, info, path) for name, info in infos.items()}


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError,
            SyntaxError, zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        raise DataError(
            f"{path}: not a readable .npz archive ({error}); write it with numpy.savez"
        ) from error


def _check_size(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    """Raises DataError where an array's header declares other bytes than there are."""
    if not info.filename.endswith(".npy"):
        return
    with archive.open(info) as file:
        shape, _, dtype = _header(file)
        declared, held = math.prod(shape) * dtype.itemsize, info.file_size - file.tell()
    if held != declared and not dtype.hasobject:
        raise DataError(
            f"{path}, array {info.filename.removesuffix('.npy')!r}: shape {shape} of {dtype} needs "
            f"{declared:,} bytes, holds {held:,}"
        )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    with archive.open(info) as file:
        shape, order, dtype = _header(file)
        if dtype.hasobject:
            raise DataError(
                f"{path}, array {info.filename.removesuffix('.npy')!r}: holds Python objects, "
                "which are never unpickled; save plain numbers"
            )
        body = file.read(info.file_size)
    return np.frombuffer(body, dtype).reshape(shape, order="F" if order else "C").copy()


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"array format version {version} is not known")
