"""Blocks read ahead: in order, bounded, on from a state, with the loader's error at its place."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sources import BATCH, Again, arrays, batches, endless

from lrlab.core.errors import StreamError
from lrlab.data import stream
from lrlab.engine.feed import Feed, Request, feeding, states_of


def wanted(*keys: tuple[int, int, int]) -> list[Request]:
    return [Request(*key) for key in keys]


def inputs(seed: int, first: int, count: int) -> np.ndarray:
    order = endless(seed)
    given = [next(order)[0] for _ in range(first + count)]
    return np.concatenate(given[first:])


def feed_of(source, ahead=2, **options) -> Feed:
    return Feed(stream(source), "float32", 4 * BATCH, ahead, **options)


def test_blocks_of_several_seeds_come_in_order():
    with feeding(feed_of(batches)) as feed:
        keys = [(seed, first, 4) for first in (0, 4, 8) for seed in (3, 1)]
        feed.want(wanted(*keys))
        for key in keys:
            np.testing.assert_array_equal(feed.take(*key)[0], inputs(*key))
        assert feed.passes == 2 and not feed.failed
        assert feed.states().keys() == {"stream_1", "stream_3"}


def test_a_block_serves_all_that_ask_for_it_in_turn():
    with feeding(feed_of(Again())) as feed:
        assert feed.seed_of(7) == feed.seed_of(8) == 0
        feed.want(wanted((0, 0, 2)))
        assert feed.block(7, 0, 2) is feed.block(8, 0, 2)


def test_reading_runs_ahead_by_a_bounded_number_of_blocks():
    enough, beyond = threading.Event(), threading.Event()

    def source(seed):
        for number, batch in enumerate(endless(seed)):
            (enough if number == 7 else beyond if number > 7 else threading.Event()).set()
            yield batch

    with feeding(feed_of(source)) as feed:
        feed.want(wanted(*((1, first, 4) for first in range(0, 40, 4))))
        assert enough.wait(60)  # two blocks, before anything was asked for
        assert not beyond.wait(0.5)  # and no third
        feed.take(1, 0, 4)
        assert beyond.wait(60)


def test_it_goes_on_from_a_state_and_says_what_it_read_again(capsys):
    with feeding(feed_of(endless)) as feed:
        feed.want(wanted((1, 0, 4), (1, 4, 4)))
        feed.take(1, 0, 4)
        states = states_of(feed.states())
    with feeding(feed_of(endless, saved=states)) as other:
        other.want(wanted((1, 4, 4)))
        np.testing.assert_array_equal(other.take(1, 4, 4)[0], inputs(1, 4, 4))
    assert "the training data of seed 1: read 4 batches again in" in capsys.readouterr().err


def test_without_a_state_the_batches_before_are_read_and_dropped():
    with feeding(feed_of(endless)) as feed:
        feed.want(wanted((1, 8, 2)))
        np.testing.assert_array_equal(feed.take(1, 8, 2)[0][: 2 * BATCH], inputs(1, 8, 2))


def test_an_error_comes_where_its_block_is_taken():
    def source(seed):
        for number, batch in enumerate(endless(seed)):
            if number == 5:
                raise OSError("gone")
            yield batch

    used = []
    with feeding(feed_of(source), used.append) as feed:
        feed.want(wanted((1, 0, 4), (1, 4, 4)))
        assert len(feed.take(1, 0, 4)[0]) == 4 * BATCH
        with pytest.raises(StreamError, match="after 5 batches: the loader raised OSError: gone"):
            feed.take(1, 4, 4)
    assert used[0].passes == 1 and used[0].waited >= 0


def test_reading_by_number_that_fails_says_where():
    class Broken:
        def __len__(self):
            return 50

        def __getitem__(self, row):
            if row == 40:
                raise OSError("a bad sector")
            return np.zeros(2, np.float32)

    with feeding(feed_of(Broken())) as feed:
        feed.want([Request(1, 6, 1, np.array([40, 3]))])
        with pytest.raises(StreamError, match="after 6 batches: reading examples raised OSError"):
            feed.take(1, 6, 1)


def test_a_feed_that_is_closed_has_no_thread_and_gives_nothing():
    feed = feed_of(arrays())
    feed.close()
    with pytest.raises(RuntimeError, match="nobody reads"):
        feed.take(1, 0, 1)
    feed._thread.join(60)
    assert not feed._thread.is_alive()
