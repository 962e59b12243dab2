"""Data that are read during training: too large for memory, or made by a loader."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from lrlab.core.errors import StreamError
from lrlab.core.text import JsonObject, counted
from lrlab.data import random_access
from lrlab.data.dataset import DataError, hash_bytes
from lrlab.data.examples import as_arrays, count_of
from lrlab.data.loaders import Loader, as_loader, opened, raised
from lrlab.data.random_access import Collection, Numbered
from lrlab.data.reader import HEAD, Form, Reader, digest_of, form_of
from lrlab.data.trees import Tree, filled, leaves, mapped

ENDS = 64
"""Examples from either end of a collection that its digest is made of: reading all of them may take
as long as training."""

PORTION = 4 << 20
"""Bytes of examples that are gathered at once where all are read."""


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """Examples that are read as training goes; `lrlab.data.stream` makes it.

    `first`: a few examples [n, ...] of the beginning (of a loader: its first batch). `numbered`:
    how they are read by number, or `loader`: how batches come, of the form `form`; the other one is
    None. `heads`: digests of a loader's first batches. `valid`: a second source, as given. `said`:
    what was said of it, so that every reading of it does not say so again.

    No NamedTuple, because JAX would take it for a tree of arrays.
    """

    first: Tree
    numbered: Numbered | None
    loader: Loader | None
    form: Form | None
    heads: tuple[str, ...]
    source: JsonObject
    valid: object = None
    said: set[str] = dataclasses.field(default_factory=set)

    @property
    def length(self) -> int | None:
        """How many examples there are; None for a loader, which does not say."""
        return None if self.numbered is None else self.numbered.length

    @property
    def batch_size(self) -> int | None:
        """Examples in a batch of a loader; None where any number can be read."""
        return None if self.form is None else self.form.size

    @property
    def columns(self) -> Tree:
        """The stream as a pytree of arrays [N, ...] that hold nothing (see `Column`)."""
        numbers = iter(range(sum(1 for _ in leaves(self.first))))
        return mapped(lambda path, leaf: Column(self, next(numbers), np.asarray(leaf)), self.first)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of what is read: all of arrays, the ends of a collection, the first batches of a
        loader (those of seed 0)."""
        total = hashlib.sha256(str(self.length).encode())
        if self.numbered is not None and self.numbered.arrays is not None:
            for array in self.numbered.arrays:
                total.update(f"{array.shape}{array.dtype}".encode())
                hash_bytes(total, array)
        elif self.numbered is not None:
            count = self.numbered.length
            ends = np.unique([*range(min(ENDS, count)), *range(max(0, count - ENDS), count)])
            total.update(digest_of(self.looked_at(ends)).encode())
        else:
            total.update("".join(self.heads).encode())
        return total.hexdigest()

    def head(self, rows: int) -> Tree:
        """The first examples, at most so many (of a loader: of seed 0, up to where it fails)."""
        if self.numbered is not None:
            return self._gathered(np.arange(min(rows, self.numbered.length)))
        batches, size = [self.first], self.batch_size or 1
        if rows > size:
            with contextlib.suppress(StreamError):  # training says so, where it comes to that
                batches.extend(itertools.islice(self._one_pass(), 1, -(-rows // size)))
        return joined(batches, rows)

    def parts(self, rows: int) -> Iterator[Tree]:
        """Every example once, in order, so many at a time (a loader: in its own batches, those of
        seed 0 in their first epoch).

        Raises:
            StreamError: the loader fails.
        """
        if self.numbered is None:
            yield from self._one_pass()
            return
        for first in range(0, self.numbered.length, rows):
            yield self._gathered(np.arange(first, min(first + rows, self.numbered.length)))

    def _gathered(self, rows: np.ndarray) -> Tree:
        """Examples by number. Raises StreamError that says which fails."""
        assert self.numbered is not None
        try:
            return self.numbered.gather(rows)
        except DataError:
            raise
        except Exception as error:
            row = random_access.first_failing(self.numbered.gather, rows)
            which = "examples" if row is None else f"example {row}"
            raise StreamError(f"reading {which} raised {raised(error)}") from error

    def looked_at(self, rows: np.ndarray) -> Tree:
        """Examples by number, before anything trains. Raises DataError that says which fails."""
        try:
            return self._gathered(rows)
        except StreamError as error:
            raise DataError(f"the stream: {error}") from error

    def _one_pass(self) -> Iterator[Tree]:
        assert self.loader is not None and self.form is not None
        iterator, count = None, 0

        def place() -> str:
            return f"a pass of the loader, after {counted(count, 'batch', 'batches')}"

        while True:
            try:
                iterator = opened(self.loader, 0, 0) if iterator is None else iterator
                batch = as_arrays(next(iterator), "a batch")
                form = form_of(batch, "a batch")
            except StopIteration:
                return
            except DataError as error:
                raise StreamError(f"{place()}: {error}") from error
            except Exception as error:
                message = f"it raised {raised(error)}"
                raise StreamError(f"{place()}: {message}") from error
            if form.arrays != self.form.arrays:
                raise StreamError(f"{place()}: a batch has other arrays than the first")
            count += 1
            yield batch

    def whole(self, most: int) -> Tree | None:
        """All examples as arrays, where they take at most so many bytes; else None.

        >>> stream([(1.5, 0), (2.5, 1)]).whole(100)
        (array([1.5, 2.5]), array([0, 1]))
        """
        size = max(1, example_bytes(self.first))
        if self.length is not None and self.length * size > most:
            return None
        portions, total = list[Tree](), 0
        for part in self.parts(max(1, PORTION // size)):
            portions.append(part)
            total += count_of(part, "a batch") * size
            if total > most:
                return None
        return joined(portions)

    def reader(self, place: str, seed: int, **options: object) -> Reader:
        """The batches of a seed; only of a loader. `options` as for `Reader`."""
        assert self.loader is not None
        return Reader(self.loader, place, seed, self.form, **options)  # type: ignore[arg-type]


def joined(batches: Iterable[Tree], rows: int | None = None) -> Tree:
    """Batches one after the other as one, cut to so many rows.

    >>> joined([np.array([1, 2]), np.array([3])], 2)
    array([1, 2])
    """
    given = list(batches)
    columns = zip(
        *([np.asarray(leaf) for _, leaf in leaves(batch)] for batch in given), strict=True
    )
    return filled(given[0], (np.concatenate(column)[:rows] for column in columns))


class Column:
    """One array of a stream as far as its shape goes: [N, ...], N the examples there are (those of
    one batch, for a loader). Slices of it are read; as a whole it is in no memory.

    A class because JAX's trees have to take it for an array.

    >>> x, y = stream([(1.5, 0), (2.5, 1)]).columns
    >>> x.shape, x.dtype, y[:1]
    ((2,), dtype('float64'), array([0]))
    """

    def __init__(self, stream: Stream, number: int, first: np.ndarray) -> None:
        self.stream, self.number = stream, number
        length = stream.length if stream.length is not None else len(first)
        self.shape, self.dtype = (length, *first.shape[1:]), first.dtype

    @property
    def array(self) -> np.ndarray | None:
        """The array that is read; None where examples come one by one, or in batches."""
        numbered = self.stream.numbered
        arrays = None if numbered is None else numbered.arrays
        return None if arrays is None else arrays[self.number]

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        chosen = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        if self.stream.numbered is None:
            batch = self.stream.first
        else:
            batch, chosen = self.stream.looked_at(chosen), slice(None)
        return np.asarray(list(leaves(batch))[self.number][1])[chosen]

    def __array__(self, *args: object, **options: object) -> np.ndarray:
        raise TypeError("data that stream are read part by part, never as one array")

    def __repr__(self) -> str:
        return f"Column({self.dtype}{list(self.shape)})"


def stream(source: object, *, valid: object = None) -> Stream:
    """Data to train on that are read as training goes, in place of arrays.

    Args:
        source: by number: an array [N, ...] or a tuple or dict of arrays (`np.memmap` among them),
            a list of examples, or anything with `len(source)` and `source[number]` (a grain
            `MapDataset` or `ArrayRecordDataSource`, a Hugging Face `Dataset`, a PyTorch map-style
            data set). Batches are drawn as from arrays in memory, with the same numbers. Where
            `source[[4, 0, 2]]` (or `source.__getitems__`) gives for the last, the first and the
            middle example what `source[number]` does, examples are read so, many at once; a
            source that takes lists of numbers must take any.
            A loader: a function `seed -> iterator` of batches, which lasts as long as training;
            a function `(seed, epoch) -> iterator` (a second parameter that has no default, or is
            named `epoch`), which is called again at each end; or what can be iterated again and
            again (a grain `IterDataset` or `DataLoader`, a PyTorch `DataLoader`, a `tf.data`
            data set), whose order all seeds share. Its batches have one size; a smaller one at the
            end of a pass is left out.
            An example or a batch is an array, or a tuple or dict of arrays (or tensors that
            `np.asarray` reads); lists count as tuples.
        valid: a second source, or arrays. A loader gives one pass, called with seed 0 (and epoch
            0), so that all lanes are judged by the same examples.

    Raises:
        DataError: no such source; empty; no numbers; or a loader whose first batch fails.

    >>> data = stream((np.zeros((100, 3), np.float32), np.arange(100)))
    >>> data.length, data.batch_size
    (100, None)
    >>> stream(lambda seed: iter([(np.zeros((8, 3)), np.zeros(8))])).batch_size
    8
    """
    if isinstance(source, Stream):
        return source if valid is None else dataclasses.replace(source, valid=_second(valid))
    second = _second(valid)
    place = "the stream"
    if random_access.is_arrays(source):
        return _by_number(random_access.of_arrays(source, place), "arrays", second)
    collection = random_access.as_collection(source)
    if collection is not None:
        return _by_number(_read(collection, place), type(source).__name__, second)
    loader = as_loader(source, place)
    reader = Reader(loader, place, 0)
    try:
        first = reader.batch()
    except StreamError as error:
        raise DataError(str(error)) from error
    try:
        for _ in range(HEAD - 1):
            reader.batch()
    except StreamError:
        pass  # training says so, where it comes to that
    heads = tuple(reader.state()["head"])
    form = form_of(first, place)
    described = {"stream": loader.kind, "batch_size": form.size, "arrays": _described(first)}
    return Stream(first, None, loader, form, heads, described, second)


def _second(valid: object) -> object:
    arrays = valid is None or isinstance(valid, Stream) or random_access.is_arrays(valid)
    return valid if arrays else stream(valid)


def _read(source: Collection, place: str) -> Numbered:
    """The source, if its examples can be read.

    Raises:
        DataError: they cannot; in the words of what they raise.
    """
    try:
        return random_access.of_collection(source, place)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{place}: reading an example raised {raised(error)}") from error


def _by_number(numbered: Numbered, kind: str, valid: object) -> Stream:
    blank = Stream((), numbered, None, None, (), {}, valid)
    first = blank.looked_at(np.arange(min(2, numbered.length)))
    described = {"stream": kind, "length": numbered.length, "arrays": _described(first)}
    return dataclasses.replace(blank, first=first, source=described)


def _described(batch: Tree) -> JsonObject:
    """Path -> dtype and shape of an example's arrays."""
    return {
        path or "array": f"{np.asarray(leaf).dtype}{list(np.asarray(leaf).shape[1:])}"
        for path, leaf in leaves(batch)
    }


def example_bytes(batch: Tree) -> int:
    """Bytes of one example of a batch, as given or in four bytes a number, whichever is more.

    >>> example_bytes((np.zeros((5, 2), np.float16), np.zeros(5, np.int64)))
    16
    """
    sizes = (np.asarray(leaf)[:1] for _, leaf in leaves(batch))
    return sum(max(one.nbytes, 4 * one.size) for one in sizes)


def stream_of(tree: object) -> Stream | None:
    """The stream that a split comes from: a stream itself, or a tree of its columns; else None.

    >>> stream_of((np.zeros(3), np.zeros(3)))
    """
    if isinstance(tree, Stream):
        return tree
    return next((leaf.stream for _, leaf in leaves(tree) if isinstance(leaf, Column)), None)
