"""A loader being read: epochs, what fits, and going on from a state."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sources import BATCH, Again, Stateful, batches, by_number, endless

from lrlab.core.errors import StreamError
from lrlab.data.loaders import as_loader
from lrlab.data.reader import Reader, digest_of


def reader(source, seed=1, **options) -> Reader:
    return Reader(as_loader(source, "train"), "train", seed, **options)


def test_epochs_follow_each_other_and_small_batches_are_left_out():
    said: list[str] = []
    this = reader(batches, say=said.append)
    expected = [b for epoch in range(3) for b in batches(1, epoch) if len(b[0]) == BATCH]
    for x, y in expected:
        given = this.batch()
        np.testing.assert_array_equal(given[0], x)
        np.testing.assert_array_equal(given[1], y)
    assert this.position == 21 and this.epoch == 2
    assert said == [
        "the last batch of a loader's pass has 8 examples instead of 16, and is left out"
    ]


@pytest.mark.parametrize("source", [batches, endless, Again(), by_number])
@pytest.mark.parametrize("at", [0, 1, 6, 7, 8, 15])
def test_it_goes_on_from_a_state(source, at):
    whole = reader(source)
    for _ in range(at):
        whole.batch()
    state = json.loads(json.dumps(whole.state()))
    said: list[str] = []
    other = reader(source, saved=state, form=whole.form, say=said.append)
    assert [digest_of(other.batch()) for _ in range(9)] == [
        digest_of(whole.batch()) for _ in range(9)
    ]
    assert other.state() == whole.state()
    if source is endless and at:
        assert f"read {at} batch{'es' if at > 1 else ''} again in" in said[0]
    assert not said or source is not by_number or "again" not in said[0]


def test_bytes_are_a_state_too():
    class Bytes(Stateful):
        def get_state(self):
            return bytes([self.place, 255])

        def set_state(self, state):
            self.place = state[0]

    this = reader(lambda seed, epoch: Bytes(seed, epoch))
    this.batch()
    state = json.loads(json.dumps(this.state()))
    other = reader(lambda seed, epoch: Bytes(seed, epoch), saved=state)
    assert digest_of(other.batch()) == digest_of(this.batch())


def test_another_order_is_noticed():
    this = reader(endless)
    for _ in range(5):
        this.batch()
    with pytest.raises(StreamError, match="gives other batches than when the run began"):
        reader(endless, seed=2, saved=this.state())


def of(*given):
    return lambda seed: iter(given)


ONE = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(("source", "message"), [
    (of(ONE), "train of seed 1 after 1 batch: the iterator has ended; it must last as long"),
    (of(ONE, ONE[:, :2]), r"of a batch are array float32\[2\], and were array float32\[3\]"),
    (of(ONE, ONE.astype(int)), r"are array int64\[3\], and were array float32\[3\]"),
    (of(ONE, ONE[:1], ONE), "batch 2 of the pass has 1 example, the first had 2"),
    (of(ONE, np.zeros((3, 3), np.float32)), "batch 2 of the pass has 3 examples, the first had 2"),
    (of(ONE, "text"), "after 1 batch: a batch: 'text' is no number"),
    (lambda seed, epoch: iter([]), "epoch 0 gave no whole batch"),
    (lambda seed: 1 / 0, r"after 0 batches: the loader raised ZeroDivisionError"),
])  # fmt: skip
def test_what_a_loader_must_not_do(source, message):
    said: list[str] = []
    this = reader(source, say=said.append)
    with pytest.raises(StreamError, match=message):
        [this.batch() for _ in range(3)]
    assert not said
