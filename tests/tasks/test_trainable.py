"""Patterns that say which parameters are trained."""

from __future__ import annotations

import pytest

from lrlab.tasks.trainable import Trainable, trainable_of

PARAMS = {"body": {"kernel": 1.0, "lora_a": 2.0}, "head": {"bias": 3.0}}


def test_patterns_choose_paths():
    chosen = Trainable(("head*", "*/lora_*"))(PARAMS)
    assert chosen == {"body": {"kernel": False, "lora_a": True}, "head": {"bias": True}}


def test_equal_patterns_are_equal_and_hashable():
    first, second = (trainable_of(given, PARAMS) for given in ("head", ["head"]))
    assert first == second and hash(first) == hash(second)
    assert trainable_of(None, PARAMS) is None


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ("tail", "'tail' matches no parameter; the paths are body/kernel"),
        (("head", "tail"), "'tail' matches no parameter"),
        ((), "names no parameter"),
        (3, "got 3"),
        ("[", "no regular expression"),
    ],
)
def test_what_chooses_nothing_is_refused(patterns, message):
    with pytest.raises(ValueError, match=message):
        trainable_of(patterns, PARAMS)
