"""Streamed batches on their way to the devices: read ahead in a thread, one block per segment.

One block serves all lanes of a seed: tiles come seed by seed.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.errors import StreamError
from lrlab.core.text import JsonObject, counted
from lrlab.data.loaders import raised
from lrlab.data.reader import Reader
from lrlab.data.streams import Stream
from lrlab.engine.blocks import blank, fill, gathered
from lrlab.types import PyTree

STATE = "stream_"
"""How arrays of a commit are named that hold where the reading of a seed is."""


class Request(NamedTuple):
    """The batches of so many updates of a seed, from `first` on; `rows`: int[updates x batch],
    which examples they are, of a stream by number."""

    seed: int
    first: int
    updates: int
    rows: np.ndarray | None = None

    @property
    def key(self) -> tuple[int, int, int]:
        """What it is asked for by."""
        return self.seed, self.first, self.updates


class Ready(NamedTuple):
    """A block that was read, and where its reader is then; or why there is none."""

    block: PyTree
    state: JsonObject | None
    error: BaseException | None = None


class StreamUse(NamedTuple):
    """How a stream was read: how often from its beginning, and the seconds that training waited."""

    passes: int
    waited: float


class Feed:
    """Blocks [updates x batch, ...] of a stream. A class because it holds a thread, open iterators
    and what they have read.

    `waited`: seconds for which training waited for data. `passes`: how often the reading of a seed
    was begun from its first batch, or from where a run was continued.

    Args:
        rows: examples in a block.
        ahead: blocks that are read before they are asked for, at most.
        saved: states of readers by seed, as `states` gave them.
    """

    def __init__(
        self,
        stream: Stream,
        dtype: str,
        rows: int,
        ahead: int,
        saved: Mapping[int, JsonObject] | None = None,
    ) -> None:
        self.stream, self.waited, self.passes = stream, 0.0, 0
        self._dtype, self._rows, self._ahead = dtype, rows, ahead
        self._saved = dict(saved or {})
        self._readers: dict[int, Reader] = {}
        self._ends: dict[int, int] = {}
        self._places: dict[int, JsonObject] = dict(self._saved)
        self._changed = threading.Condition()
        self._pending: list[Request] = []
        self._under_way: Request | None = None
        self._ready: dict[tuple[int, int, int], Ready] = {}
        self._last: tuple[tuple[int, int, int], PyTree] | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._read_on, name="lrlab-data", daemon=True)
        self._thread.start()

    def seed_of(self, seed: int) -> int:
        """Whose batches a seed reads: those of the first one, where all share an order."""
        loader = self.stream.loader
        return 0 if loader is not None and loader.shared else seed

    @property
    def used(self) -> StreamUse:
        """How the stream was read so far."""
        return StreamUse(self.passes, self.waited)

    @property
    def failed(self) -> bool:
        """Whether a block that is to come could not be read."""
        with self._changed:
            return any(ready.error is not None for ready in self._ready.values())

    def block(self, seed: int, first: int, updates: int) -> PyTree:
        """The batches of a seed; see `take`. The last ones may be asked for again: another device,
        or another seed that reads the same, has its turn then."""
        key = (self.seed_of(seed), first, updates)
        if self._last is None or self._last[0] != key:
            self._last = None
            self._last = key, self.take(*key)
        return self._last[1]

    def want(self, requests: Sequence[Request]) -> None:
        """Says what will be taken, in order: it is read meanwhile. What was said before, and is not
        among it, is forgotten."""
        with self._changed:
            keys = {request.key for request in requests}
            self._ready = {key: ready for key, ready in self._ready.items() if key in keys}
            under_way = {self._under_way.key} if self._under_way is not None else set()
            known = {*self._ready, *under_way}
            self._pending = [request for request in requests if request.key not in known]
            self._changed.notify_all()

    def take(self, seed: int, first: int, updates: int) -> PyTree:
        """A block that was wanted, once.

        Raises:
            StreamError: it could not be read.
        """
        key, began = (seed, first, updates), time.perf_counter()
        with self._changed:
            while key not in self._ready:
                wanted = any(request.key == key for request in self._pending)
                under_way = self._under_way is not None and self._under_way.key == key
                if self._closed or not (wanted or under_way):
                    raise RuntimeError(f"nobody reads the batches of {key}")
                self._changed.wait()
            ready = self._ready.pop(key)
            self._changed.notify_all()
        self.waited += time.perf_counter() - began
        if ready.error is not None:
            raise ready.error
        if ready.state is not None:
            self._places[seed] = ready.state
        return ready.block

    def states(self) -> dict[str, np.ndarray]:
        """Where the reading of every seed is, as of the last block that was taken: arrays for a
        commit."""
        return states_arrays(self._places)

    def close(self) -> None:
        """Ends the thread, once it has read what it is reading."""
        with self._changed:
            self._closed, self._pending = True, []
            self._changed.notify_all()

    def _read_on(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._pending or len(self._ready) >= self._ahead):
                    self._changed.wait()
                if self._closed:
                    self._readers.clear()
                    return
                request = self._under_way = self._pending.pop(0)
            try:
                ready = self._read(request)
            except BaseException as error:  # handed to the thread that trains
                ready = Ready(None, None, error)
            with self._changed:
                self._under_way = None
                self._ready[request.key] = ready
                self._changed.notify_all()

    def _read(self, request: Request) -> Ready:
        seed, first, updates = request.key
        place = f"the training data of seed {seed}"
        block = blank(self.stream, self._rows, self._dtype)
        if self.stream.numbered is not None:
            assert request.rows is not None
            self.passes += self._ends.get(seed) != first
            self._ends[seed] = first + updates
            try:
                fill(block, gathered(self.stream, request.rows), place)
            except StreamError:
                raise
            except Exception as error:
                where = f"{place} after {counted(first, 'batch', 'batches')}"
                raise StreamError(f"{where}: reading examples raised {raised(error)}") from error
            return Ready(block, None)
        reader = self._reader(seed, first)
        fill(block, (reader.batch() for _ in range(updates)), place)
        return Ready(block, reader.state())

    def _reader(self, seed: int, first: int) -> Reader:
        """The reader of a seed, at its batch `first`; read on or begun again where it is not."""
        reader = self._readers.get(seed)
        if reader is None or reader.position > first:
            saved = self._saved.pop(seed, None)
            if saved is not None and int(saved["position"]) != first:
                saved = None
            self.passes += 1
            reader = self.stream.reader("the training data", seed, saved=saved, say=self._say)
            self._readers[seed] = reader
        if reader.position < first:
            reader.forward(first)
        return reader

    def _say(self, line: str) -> None:
        if line not in self.stream.said:
            self.stream.said.add(line)
            print(f"lrlab: {line}", file=sys.stderr, flush=True)


def states_arrays(places: Mapping[int, JsonObject]) -> dict[str, np.ndarray]:
    """The arrays of a commit that hold the states of readers by seed."""
    return {
        f"{STATE}{seed}": np.frombuffer(json.dumps(state).encode(), np.uint8)
        for seed, state in places.items()
    }


def states_of(arrays: Mapping[str, np.ndarray]) -> dict[int, JsonObject]:
    """The states of readers by seed that a commit holds.

    >>> states_of({"stream_3": np.frombuffer(b'{"position": 2}', np.uint8), "lanes": np.zeros(1)})
    {3: {'position': 2}}
    """
    return {
        int(name.removeprefix(STATE)): json.loads(np.asarray(array, np.uint8).tobytes())
        for name, array in arrays.items()
        if name.startswith(STATE)
    }


@contextlib.contextmanager
def feeding(
    feed: Feed | None, used: Callable[[StreamUse], None] | None = None
) -> Iterator[Feed | None]:
    """The feed, closed at the end; `used` gets how it was used, whatever happens."""
    try:
        yield feed
    finally:
        if feed is not None:
            feed.close()
            if used is not None:
                used(feed.used)
