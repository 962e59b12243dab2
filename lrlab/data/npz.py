"""Arrays from a NumPy `.npz` archive, never unpickled."""

from __future__ import annotations

import hashlib
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.data.checks import same_length, targets
from lrlab.data.dataset import DataError, Raw, Split
from lrlab.data.values import numbers

MAX_BYTES = 4 << 30


def npz(
    path: Path,
    *,
    kind: str | None = None,
    num_classes: int | None = None,
    inputs: str = "x",
    target: str = "y",
    max_bytes: int = MAX_BYTES,
) -> Raw:
    """NumPy archive: arrays `x` and `y`, or `x_train`, `y_train` with `x_valid`, `x_test` beside.

    `inputs` and `target` rename x and y. Integer targets are labels unless `kind` says otherwise.
    """
    arrays, sha256 = read_npz(path, max_bytes)
    parts = {"train": (inputs, target)}
    if f"{inputs}_train" in arrays:
        parts = {
            split: (f"{inputs}_{split}", f"{target}_{split}")
            for split in ("train", "valid", "test")
            if f"{inputs}_{split}" in arrays
        }
    splits: dict[str, Split] = {}
    for split, names in parts.items():
        for name in names:
            if name not in arrays:
                raise DataError(
                    f"{path}: holds no array {name!r}; it has {', '.join(sorted(arrays))}; "
                    "name yours with the options inputs and target"
                )
        place = f"{path}, array {names[0]!r}"
        x = numbers(arrays[names[0]], place)
        y, kind = targets(arrays[names[1]], f"{path}, array {names[1]!r}", kind, num_classes)
        same_length(x, y, f"{path}, {split}")
        if x.dtype.kind != "f":
            x = x.astype(np.float32)
        splits[split] = (x, y)
    assert kind is not None
    if kind == "classification" and num_classes is None:
        num_classes = max(int(y.max()) for _, y in splits.values()) + 1
    return Raw(
        splits=splits,
        kind=kind,
        license="not stated by the file",
        origin={"path": str(path)},
        sha256=sha256,
        num_classes=num_classes if kind == "classification" else None,
        scale="standard" if splits["train"][0].ndim == 2 else "none",
    )


def read_npz(path: Path, max_bytes: int = MAX_BYTES) -> tuple[dict[str, np.ndarray], str]:
    """Every array of the archive by name, and the file's SHA-256.

    Sizes are taken from the archive's directory and from each array's header before any data are
    read; pickled objects are refused.

    Raises:
        DataError: missing, no archive, damaged, object arrays, or larger than `max_bytes`.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            total = sum(info.file_size for info in infos)
            if total > max_bytes:
                raise DataError(
                    f"{path}: unpacks to {total:,} bytes, above the limit of {max_bytes:,} "
                    "(option max_bytes)"
                )
            arrays = {
                info.filename.removesuffix(".npy"): _member(archive, info, path)
                for info in infos
                if info.filename.endswith(".npy")
            }
    except DataError:
        raise
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError,
            SyntaxError, zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        raise DataError(
            f"{path}: not a readable .npz archive ({error}); write it with numpy.savez"
        ) from error
    if not arrays:
        raise DataError(f"{path}: the archive holds no arrays")
    return arrays, sha256


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    place = f"{path}, array {info.filename.removesuffix('.npy')!r}"
    with archive.open(info) as file:
        shape, order, dtype = _header(file)
        if dtype.hasobject:
            raise DataError(
                f"{place}: holds Python objects, which are never unpickled; save plain numbers"
            )
        declared = math.prod(shape) * dtype.itemsize
        body = file.read(info.file_size)
        if len(body) != declared:
            raise DataError(
                f"{place}: shape {shape} of {dtype} needs {declared:,} bytes, holds {len(body):,}"
            )
        return np.frombuffer(body, dtype).reshape(shape, order="F" if order else "C").copy()


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"array format version {version} is not known")
