"""A loader being read for one seed: batch after batch, epoch after epoch, and on from a state."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from lrlab.core.errors import StreamError
from lrlab.core.text import JsonObject, Table, counted
from lrlab.data.dataset import DataError, hash_bytes
from lrlab.data.examples import as_arrays, count_of
from lrlab.data.loaders import Loader, opened, raised
from lrlab.data.trees import Tree, leaves

HEAD = 2
"""Batches of a pass that its digest is made of: enough to know an order again, and soon read."""


class Form(NamedTuple):
    """What every batch of a loader must be: its examples, and (path, shape of one, dtype) of its
    arrays."""

    size: int
    arrays: tuple[tuple[str, tuple[int, ...], str], ...]


def form_of(batch: Tree, place: str) -> Form:
    """The form of a batch.

    Raises:
        DataError: no batch.

    >>> form_of((np.zeros((4, 2)), np.zeros(4)), "train").size
    4
    """
    size = count_of(batch, place)
    arrays = ((p, np.asarray(a).shape[1:], np.asarray(a).dtype.name) for p, a in leaves(batch))
    return Form(size, tuple(arrays))


class Reader:
    """The batches of a seed in order. A class because it holds an open iterator.

    `position`: batches that were read; `epoch`: the pass that is open, which began at `begun`.

    Args:
        form: that of every batch; None: whatever the first one has.
        saved: a state (see `state`) to continue from: by the iterator's own `set_state`, where it
            has one, else the batches up to there are read again.
        say: is called with what is worth a line.

    Raises:
        StreamError: from here and from `batch`, if the loader raises or gives something else than
            before.
    """

    def __init__(
        self,
        loader: Loader,
        place: str,
        seed: int,
        form: Form | None = None,
        saved: Table | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.loader, self.seed, self.form = loader, seed, form
        self.place = place if loader.shared else f"{place} of seed {seed}"
        self.position, self.begun, self.epoch = 0, 0, 0
        self._say = say
        self._head: list[str] = []
        self._short = 0
        self._iterator: Iterator[Tree] | None = None
        if saved is not None:
            self._go_on(saved)

    def batch(self) -> Tree:
        """The next batch, of NumPy arrays.

        Raises:
            StreamError: there is none, or no such one.
        """
        while True:
            try:
                if self._iterator is None:
                    self._iterator = opened(self.loader, self.seed, self.epoch)
                given = next(self._iterator)
            except StopIteration:
                self._next_epoch()
                continue
            except Exception as error:
                raise StreamError(f"{self._where()}: the loader raised {raised(error)}") from error
            try:
                batch = as_arrays(given, "a batch")
                form = form_of(batch, "a batch")
            except DataError as error:
                raise StreamError(f"{self._where()}: {error}") from error
            if self._fits(form):
                break
        if self.position - self.begun < HEAD:
            self._head.append(digest_of(batch))
        self.position += 1
        return batch

    def _next_epoch(self) -> None:
        if not self.loader.again:
            raise StreamError(
                f"{self._where()}: the iterator has ended; it must last as long as training does: "
                "repeat the data in it, or take (seed, epoch), to be called again at each end"
            )
        if self.position == self.begun:
            raise StreamError(f"{self._where()}: epoch {self.epoch} gave no whole batch")
        if self._short and self.epoch == 0:
            assert self.form is not None
            self._say(
                f"the last batch of a loader's pass has {counted(self._short, 'example')} instead "
                f"of {self.form.size}, and is left out"
            )
        self.epoch, self.begun = self.epoch + 1, self.position
        self._iterator, self._head, self._short = None, [], 0

    def _fits(self, form: Form) -> bool:
        """Whether a batch is whole; the last one of an epoch need not be, and is dropped."""
        if self.form is None:
            self.form = form
        if form.arrays != self.form.arrays:
            raise StreamError(
                f"{self._where()}: the arrays of a batch are {_words(form)}, and were "
                f"{_words(self.form)}"
            )
        # Whether a short batch was the last one shows when the next is asked for.
        if self._short or form.size > self.form.size:
            size, number = self._short or form.size, self.position - self.begun + 1
            raise StreamError(
                f"{self._where()}: batches differ in size: batch {number} of the pass has "
                f"{counted(size, 'example')}, the first had {self.form.size}; all but the last one "
                "must have as many"
            )
        self._short = form.size if form.size < self.form.size else 0
        return not self._short

    def _where(self) -> str:
        return f"{self.place} after {counted(self.position, 'batch', 'batches')}"

    def state(self) -> JsonObject:
        """What `saved` takes, JSON-able."""
        return {
            "position": self.position,
            "begun": self.begun,
            "epoch": self.epoch,
            "head": list(self._head),
            "iterator": _own_state(self._iterator),
        }

    def _go_on(self, saved: Table) -> None:
        self.begun, self.epoch = int(saved["begun"]), int(saved["epoch"])
        self.position, target = self.begun, int(saved["position"])
        if saved["iterator"] is not None:
            self._iterator = opened(self.loader, self.seed, self.epoch)
            if _set_state(self._iterator, saved["iterator"]):
                self.position, self._head = target, list(saved["head"])
                return
            self._iterator = None
        self.forward(target)
        if self._head != list(saved["head"]):
            raise StreamError(
                f"{self.place}: the loader gives other batches than when the run began, so that it "
                "cannot continue; make their order follow from the seed, or begin a new run"
            )

    def forward(self, position: int) -> None:
        """Reads on to a position, and drops what comes."""
        began, first = time.monotonic(), self.position
        while self.position < position:
            self.batch()
        seconds, count = time.monotonic() - began, self.position - first
        if count:
            batches = counted(count, "batch", "batches")
            self._say(f"{self.place}: read {batches} again in {seconds:.1f} s")


def _words(form: Form) -> str:
    return ", ".join(
        f"{path or 'array'} {dtype}{list(shape)}" for path, shape, dtype in form.arrays
    )


def digest_of(batch: Tree) -> str:
    """SHA-256 of a batch.

    >>> digest_of(np.zeros(2)) == digest_of(np.zeros(3))
    False
    """
    total = hashlib.sha256()
    for path, leaf in leaves(batch):
        array = np.asarray(leaf)
        total.update(f"{path}{array.shape}{array.dtype}".encode())
        hash_bytes(total, array)
    return total.hexdigest()


def _own_state(iterator: object) -> JsonObject | None:
    """The state of an iterator that has one (grain's), JSON-able; None where it has none."""
    if not hasattr(iterator, "get_state") or not hasattr(iterator, "set_state"):
        return None
    state = getattr(iterator, "get_state")()  # noqa: B009
    if isinstance(state, bytes):
        return {"bytes": base64.b64encode(state).decode()}
    try:
        return {"json": json.loads(json.dumps(state, default=_plain))}
    except (TypeError, ValueError):
        return None


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value).__name__)


def _set_state(iterator: object, saved: Table) -> bool:
    """Puts an iterator where another one was; whether it can."""
    if not hasattr(iterator, "set_state"):
        return False
    state = base64.b64decode(saved["bytes"]) if "bytes" in saved else saved["json"]
    getattr(iterator, "set_state")(state)  # noqa: B009
    return True
