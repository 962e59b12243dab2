"""What a loader is, by its parameters, and what it raised, by its own line."""

from __future__ import annotations

import functools

import pytest

from lrlab.data import DataError
from lrlab.data.loaders import as_loader, opened, raised


def passes(source, seed=3, epoch=2) -> list[object]:
    return list(opened(as_loader(source, "train"), seed, epoch))


def with_default(seed, epoch=0):
    return [(seed, epoch)]


@pytest.mark.parametrize(("source", "expected", "again", "shared"), [
    (lambda seed: [seed], [3], False, False),
    (lambda seed, epoch: [seed, epoch], [3, 2], True, False),
    (with_default, [(3, 2)], True, False),
    (lambda n, other: [n, other], [3, 2], True, False),
    (lambda n, size=7: [n, size], [3, 7], False, False),
    (lambda seed=0: [seed], [3], False, False),
    (functools.partial(lambda size, seed: [size, seed], 9), [9, 3], False, False),
    (lambda: [1, 2], [1, 2], True, True),
    ([4, 5], [4, 5], True, True),
])  # fmt: skip
def test_parameters_say_what_a_function_is(source, expected, again, shared):
    loader = as_loader(source, "train")
    assert passes(source) == expected
    assert (loader.again, loader.shared) == (again, shared)


@pytest.mark.parametrize(("source", "message"), [
    (iter([1]), "list_iterator is an iterator, which one pass uses up; give the function that"),
    (3, "int can neither be read by number"),
    (lambda a, b, c: [], r"must take \(seed\) or \(seed, epoch\), and needs a, b, c; bind the"),
    (lambda seed, *, size: [], "and needs seed, size"),
])  # fmt: skip
def test_what_is_no_loader(source, message):
    with pytest.raises(DataError, match=message):
        as_loader(source, "train")


def test_what_was_raised_is_said_with_its_own_line():
    def broken(seed):
        raise ValueError("no such file")

    with pytest.raises(ValueError, match="no such file") as caught:
        passes(broken)
    assert raised(caught.value).startswith("ValueError: no such file (test_loaders.py:")
