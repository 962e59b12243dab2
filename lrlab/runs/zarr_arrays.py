"""The arrays of a stage: zarr v3 through tensorstore, every chunk with its own checksum."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import DTypeLike

from lrlab.core.errors import RunError, Unwritable
from lrlab.core.files import sha256, why, write_text
from lrlab.core.records import TimeAxis
from lrlab.core.text import JsonObject
from lrlab.runs.stored import LARGE, StoredArray

if TYPE_CHECKING:
    from tensorstore import TensorStore

CHUNK_LANES = 1 << 12
"""Lanes in a chunk, at most: what is read for the sake of one lane. With `ROWS_VALUES` 16 rows of
them are a chunk, so that neither a lane nor a row is spread over more than a few hundred files."""

ROWS_VALUES = 1 << 16
"""Values in a chunk of several rows, at most. A commit reads the last chunk and writes it again;
buffers that grow from commit to commit leave ever larger holes in the heap."""


PUT_VALUES = 1 << 24
"""Values that writing rows holds at once, at most, unless a chunk's rows are more."""


def begin(folder: Path) -> None:
    """An empty zarr group.

    Raises:
        RunError: the place cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(folder, f"cannot be written ({error.strerror or error})") from error
    content = {"zarr_format": 3, "node_type": "group", "attributes": {}}
    write_text(folder / "zarr.json", json.dumps(content))


def create(
    folder: Path, name: str, shape: tuple[int, ...], dtype: DTypeLike, dims: list[str]
) -> TensorStore:
    """A new or existing array, nan (0 for whole numbers) where nothing was written.

    Raises:
        RunError: it exists with another shape, or its name is no name.
        Unwritable: permission, full disk.
    """
    import tensorstore

    if not name or name.startswith(".") or set(name) & set("/\\\0"):
        raise RunError(folder, f"{name!r} cannot be the name of an array")
    dtype = np.dtype(dtype)
    # Chunks of nan alone are stored too, so that a missing chunk is a lost one.
    spec: JsonObject = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": str(folder / name)},
        "store_data_equal_to_fill_value": True,
    }
    metadata = {
        "shape": list(shape),
        "data_type": dtype.name,
        "fill_value": "NaN" if dtype.kind == "f" else 0,
        "dimension_names": dims,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks(shape)}},
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": 1}},
            {"name": "crc32c"},
        ],
    }
    stored = (folder / name / "zarr.json").exists()
    try:
        _clear(folder / name)
        if not stored:
            return tensorstore.open({**spec, "metadata": metadata}, create=True).result()
        array = tensorstore.open(spec, open=True).result()
    except (ValueError, OSError, RuntimeError) as error:
        raise Unwritable(folder / name, f"cannot be written ({why(error, folder)})") from None
    if array.shape != shape or np.dtype(array.dtype.numpy_dtype) != dtype:
        raise RunError(folder / name, f"has shape {array.shape}, expected {shape}")
    return array


def _clear(folder: Path) -> None:
    """Removes what a killed process left of an array, before this one writes there.

    tensorstore writes into a file beside a chunk and renames it. Where that file exists and is
    longer, it is not cut, and its end would become part of the chunk. Only the process that holds
    the run's lock writes, so none of these files is in use.
    """
    for left in folder.rglob("*.__lock"):
        left.unlink(missing_ok=True)


def chunks(shape: tuple[int, ...]) -> list[int]:
    """Chunk sizes: all lanes of some rows, or some lanes of 16 rows where lanes are very many.

    >>> chunks((2000, 33, 4)), chunks((100, 1024, 1024, 1))
    ([496, 33, 4], [16, 4, 1024, 1])
    """
    sizes, room = [1] * len(shape), CHUNK_LANES
    for axis in reversed(range(1, len(shape))):
        sizes[axis] = max(1, min(shape[axis], room))
        room //= max(1, sizes[axis])
    rows = ROWS_VALUES // int(np.prod(sizes))
    return [max(1, min(shape[0], rows)), *sizes[1:]] if shape else []


def put(array: TensorStore, pieces: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> None:
    """Writes rows into an array [K, axes...]; pieces are (first row, cells int[n], values [k, n]).

    Cells that no piece names keep what they hold. Of the array, only the values of the first lane
    axis that the cells have are read and written again, `PUT_VALUES` at a time.
    """
    pieces = [piece for piece in pieces if len(piece[1])]
    if not pieces:
        return
    start = min(first for first, _, _ in pieces)
    end = max(first + len(values) for first, _, values in pieces)
    each = int(np.prod(array.shape[2:]))
    low = min(int(cells.min()) for _, cells, _ in pieces) // each
    high = max(int(cells.max()) for _, cells, _ in pieces) // each + 1
    rows = (array.chunk_layout.write_chunk.shape or (1,))[0] or 1
    at_once = max(1, PUT_VALUES // (rows * each * (high - low))) * rows
    for begin in range(start // at_once * at_once, end, at_once):
        top, bottom = max(begin, start), min(begin + at_once, end)
        region = array[top:bottom, low:high]
        block = np.array(region.read().result())
        flat = block.reshape(len(block), -1)
        for first, cells, values in pieces:
            above, below = max(top, first), min(bottom, first + len(values))
            if above < below:
                some = values[above - first : below - first]
                flat[above - top : below - top, cells - low * each] = some
        region.write(block).result()


def write(folder: Path, name: str, values: np.ndarray, dims: list[str]) -> None:
    """A whole array at once.

    Raises:
        Unwritable: permission, full disk.
    """
    array = create(folder, name, values.shape, values.dtype, dims)
    try:
        array.write(values).result()
    except (ValueError, OSError, RuntimeError) as error:
        raise Unwritable(folder / name, f"cannot be written ({why(error, folder)})") from None


def read(folder: Path, name: str, lazy: bool = False) -> np.ndarray:
    """A whole array; `lazy`: a large one is read where it is looked at (`StoredArray`).

    Raises:
        RunError: absent, or a chunk whose checksum is wrong.
    """
    import tensorstore

    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder / name)}}
    try:
        array = tensorstore.open(spec, open=True).result()
        if lazy and array.size * array.dtype.numpy_dtype.itemsize >= LARGE:
            return cast(np.ndarray, StoredArray(folder / name))
        return np.asarray(array.read().result())
    except (ValueError, OSError, RuntimeError) as error:
        raise RunError(folder / name, f"damaged or missing ({_first(error)})") from None


def resize(folder: Path, name: str, rows: int) -> None:
    """Gives an array [K, ...] so many rows; new ones are nan. A second call changes nothing."""
    import tensorstore

    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder / name)}}
    try:
        _clear(folder / name)
        array = tensorstore.open(spec, open=True).result()
        array.resize(exclusive_max=[rows, *[None] * (array.ndim - 1)]).result()
    except (ValueError, OSError, RuntimeError) as error:
        raise Unwritable(folder / name, f"cannot be made longer ({why(error, folder)})") from None


def fixed_files(folder: Path, axes: Sequence[str]) -> dict[str, str]:
    """Path -> SHA-256 of what never changes while rows are written: the layout of every array, and
    the axes themselves."""
    paths = [folder / "zarr.json", *folder.glob("*/zarr.json")]
    for axis in axes:
        paths += [path for path in (folder / axis / "c").rglob("*") if path.is_file()]
    kept = [path for path in paths if path.is_file() and "__lock" not in path.name]
    return {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(kept)}


def lost(folder: Path, name: str, first: int = 0, end: int | None = None) -> list[str]:
    """The missing chunks of rows `first` to `end` (None: all), by path in the group."""
    try:
        layout = json.loads((folder / name / "zarr.json").read_text(encoding="utf-8"))
        shape = [int(size) for size in layout["shape"]]
        sizes = [int(n) for n in layout["chunk_grid"]["configuration"]["chunk_shape"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(folder / name / "zarr.json", f"damaged or missing ({error})") from None
    counts = [range(-(-size // chunk)) for size, chunk in zip(shape, sizes, strict=True)]
    if end is not None and counts:
        counts[0] = range(first // sizes[0], -(-min(end, shape[0]) // sizes[0]))
    chunks = itertools.product(*counts)
    paths = ("/".join([name, "c", *map(str, chunk)]) for chunk in chunks)
    return [path for path in paths if not (folder / path).is_file()]


def time_axis(folder: Path, name: str) -> TimeAxis:
    """Whether a metric has a row per update or per evaluation."""
    return "step" if dims(folder, name)[0] == "step" else "eval_step"


def dims(folder: Path, name: str) -> list[str]:
    """The dimension names of an array."""
    try:
        content = json.loads((folder / name / "zarr.json").read_text(encoding="utf-8"))
        return [str(dim) for dim in content["dimension_names"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(folder / name / "zarr.json", f"damaged or missing ({error})") from None


def names(folder: Path) -> list[str]:
    """The arrays of a group."""
    return sorted(path.parent.name for path in folder.glob("*/zarr.json"))


def coordinates(folder: Path, axes: Mapping[str, np.ndarray]) -> None:
    """Writes each axis as an array of its own name."""
    for name, values in axes.items():
        write(folder, name, np.asarray(values), [name])


def _first(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
