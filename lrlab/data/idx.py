"""IDX files (the format of MNIST), plain or gzip; Fashion-MNIST from where it is installed."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import re
import struct
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lrlab.data.checks import labels as as_labels
from lrlab.data.checks import no_file, same_length
from lrlab.data.dataset import DataError, Raw, Split
from lrlab.data.naming import split_of
from lrlab.data.values import as_inputs, numbers

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_BYTES = 4 << 30
FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
         "valid": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}  # fmt: skip
_NAME = re.compile(
    r"(?P<before>.*?)(?P<what>images?|labels?)[-_.]idx\d?([-_.]\w+)?(\.gz)?", re.IGNORECASE
)
FOLDER = Path("share", "datasets", "fashion-mnist")


def read_idx(path: Path, max_bytes: int = MAX_BYTES) -> tuple[np.ndarray, str]:
    """The array of an IDX file, and the SHA-256 of its uncompressed bytes.

    The header is read first; the data only when their declared size is at most `max_bytes`, and
    never a byte more than declared, so that no compressed bomb unpacks.

    Raises:
        DataError: missing, not IDX, cut off anywhere, too long, corrupt, or too large.
    """
    if not path.is_file():
        raise DataError(f"{path}: {no_file(path)}")
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if not zipped:
                return _parse(plain, path, max_bytes)
            with gzip.GzipFile(fileobj=plain) as unzipped:
                return _parse(unzipped, path, max_bytes)  # pyright: ignore[reportArgumentType]
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: damaged or cut off ({error}); fetch the file again") from error


def _parse(file: BinaryIO, path: Path, max_bytes: int) -> tuple[np.ndarray, str]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in DTYPES or not 1 <= head[3] <= 8:
        raise DataError(f"{path}: not an IDX file (its first four bytes are {head.hex(' ')})")
    dtype, rank = np.dtype(DTYPES[head[2]]), head[3]
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise DataError(f"{path}: cut off in the header; fetch the file again")
    shape = struct.unpack(f">{rank}I", sizes)
    declared = math.prod(shape) * dtype.itemsize
    if declared > max_bytes:
        raise DataError(
            f"{path}: declares {declared:,} bytes (shape {shape}), above the limit of "
            f"{max_bytes:,}",
            "max_bytes",
            also="path",
        )
    body = file.read(declared)
    if len(body) < declared:
        raise DataError(
            f"{path}: cut off after {len(body):,} of {declared:,} bytes; fetch the file again"
        )
    if file.read(1):
        raise DataError(f"{path}: holds more than the {declared:,} bytes of shape {shape}")
    sha256 = hashlib.sha256(head + sizes + body).hexdigest()
    array = np.frombuffer(body, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("=")), sha256


def _pair(images: Path, labels: Path, num_classes: int | None) -> tuple[Split, list[str]]:
    x, image_hash = read_idx(images)
    y, label_hash = read_idx(labels)
    if y.ndim != 1 and y.shape[1:] != (1,):
        raise DataError(f"{labels}: labels must have one dimension, got shape {y.shape}")
    same_length(x, y, f"{images} and {labels}")
    x = numbers(x, str(images))
    x = as_inputs(x, 255 if x.dtype == np.uint8 else 1)
    return (x, as_labels(y.reshape(-1), str(labels), num_classes)), [image_hash, label_hash]


def _files(folder: Path) -> dict[tuple[str, str], Path]:
    """(split, "images" or "labels") -> the file, as MNIST names them and its relatives do:
    `train-images-idx3-ubyte`, `train-images.idx3-ubyte.gz`, `emnist-mnist-test-labels-idx1-ubyte`.

    Raises:
        DataError: no folder, two files for one part, or IDX files whose names do not say what they
            are.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    result: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or "idx" not in path.name.lower():
            continue
        match = _NAME.fullmatch(path.name)
        words = re.split(r"[-_.\s]+", match["before"].lower()) if match else []
        splits = {"test" if word == "t10k" else split_of(word) for word in words} - {None}
        if match is None or len(splits) > 1:
            raise DataError(
                f"{folder}: {path.name!r} does not say whether it holds images or labels, or of "
                "which split; name a file instead of the folder, and the option labels"
            )
        key = str(next(iter(splits), "train")), match["what"].lower().rstrip("s") + "s"
        before = result.get(key)
        if before is not None and _unzipped(before) != _unzipped(path):
            raise DataError(
                f"{folder}: both {before.name!r} and {path.name!r} may be the {key[0]} {key[1]}; "
                "name a file instead of the folder"
            )
        if before is None or path.suffix.lower() == ".gz":
            result[key] = path
    if ("valid", "images") not in result:  # MNIST's t10k
        result = {("valid" if s == "test" else s, what): path for (s, what), path in result.items()}
    return result


def _unzipped(path: Path) -> str:
    return path.name[:-3] if path.suffix.lower() == ".gz" else path.name


def _folder(
    folder: Path, num_classes: int | None, wanted: Sequence[str] = ("train",)
) -> tuple[dict[str, Split], str]:
    files = _files(folder)
    splits: dict[str, Split] = {}
    hashes: list[str] = []
    for split in ("train", "valid", "test"):
        parts = [files.get((split, what)) for what in ("images", "labels")]
        if parts == [None, None] and split not in wanted:
            continue
        images, labels = parts
        if images is None or labels is None:
            usual = FILES[split if split == "train" else "valid"][images is not None]
            raise DataError(f"{folder}: holds no {usual}.gz and no {usual}")
        splits[split], both = _pair(images, labels, num_classes)
        hashes += both
    return splits, hashlib.sha256("".join(hashes).encode()).hexdigest()


def _labels_beside(images: Path) -> Path | None:
    """The file of labels that goes with a file of images, by its name."""
    match = _NAME.fullmatch(images.name)
    if match is None or match["what"].lower().startswith("label"):
        return None
    start, end = match.span("what")
    word = "labels" if match["what"].lower().endswith("s") else "label"
    rest = re.sub(r"idx\d", "idx1", _unzipped(images)[end:], flags=re.IGNORECASE)
    plain = images.with_name(images.name[:start] + word + rest)
    zipped = plain.with_name(plain.name + ".gz")
    both = [zipped, plain] if images.suffix.lower() == ".gz" else [plain, zipped]
    return next((path for path in both if path.is_file()), both[0])


def idx(
    path: Path,
    *,
    labels: Path | None = None,
    num_classes: int | None = None,
) -> Raw:
    """IDX files: a folder named as MNIST's is, or a file of images with its file of labels.

    `train-images-idx3-ubyte` and `train-images.idx3-ubyte` are both known, with or without `.gz`;
    the held-out files are named t10k, test or valid. Without `labels`, the name follows the
    images': `images-idx3` becomes `labels-idx1`. Pixels of type uint8 are divided by 255.
    """
    if path.is_dir():
        if labels is not None:
            raise DataError(
                f"{path}: labels go with a file of images, and this is a folder", "labels"
            )
        splits, sha256 = _folder(path, num_classes)
    else:
        beside = labels or _labels_beside(path)
        if beside is None:
            raise DataError(f"{path}: name the file of labels with the option labels", "labels")
        pair, hashes = _pair(path, beside, num_classes)
        splits, sha256 = {"train": pair}, hashlib.sha256("".join(hashes).encode()).hexdigest()
    largest = max(int(y.max()) for _, y in splits.values())
    return Raw(
        splits=splits,
        kind="classification",
        license="not stated by the file",
        origin={"path": str(path)},
        sha256=sha256,
        num_classes=num_classes or largest + 1,
    )


def fashion_mnist(*, path: Path | None = None, flat: bool = False) -> Raw:
    """Fashion-MNIST: 60,000 + 10,000 images of 28x28, 10 kinds of clothing (Xiao 2017, 1708.07747).

    All 60,000 train; the official 10,000 are `valid`. Pixels are divided by 255. Inputs are
    [N, 28, 28], or [N, 784] with `flat=True`. Looked for in `path`, in the folder `LRLAB_DATA`, and
    where Debian's package `dataset-fashion-mnist` puts it.
    """
    folder = _fashion_folder(path)
    splits, sha256 = _folder(folder, 10, ("train", "valid"))
    for name, (x, _) in splits.items():
        if x.shape[1:] != (28, 28):
            raise DataError(f"{folder}: {name} images must be 28x28, got {x.shape[1:]}")
    if flat:
        splits = {name: (x.reshape(len(x), -1), y) for name, (x, y) in splits.items()}
    return Raw(
        splits=splits,
        kind="classification",
        license="MIT (Zalando SE)",
        origin={"path": str(folder)},
        sha256=sha256,
        num_classes=10,
    )


def _fashion_folder(path: Path | None) -> Path:
    if path is not None:
        return path
    looked: list[Path] = []
    if os.environ.get("LRLAB_DATA"):
        base = Path(os.environ["LRLAB_DATA"]).expanduser()
        looked += [base, base / "fashion-mnist", base / "fashion_mnist"]
    prefixes = dict.fromkeys((Path("/usr"), Path("/usr/local"), Path(sys.prefix)))
    looked += [prefix / FOLDER for prefix in prefixes]
    for folder in looked:
        if folder.is_dir() and ("train", "images") in _files(folder):
            return folder
    raise DataError(
        "Fashion-MNIST is not on this machine. Three ways: (1) apt install dataset-fashion-mnist; "
        "(2) set the environment variable LRLAB_DATA to a folder with its four IDX files "
        f"({FILES['train'][0]}.gz, ...); (3) give that folder as the data option path. "
        f"Looked in: {', '.join(map(str, looked))}"
    )
