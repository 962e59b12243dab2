"""Nests of arrays without jax: in the order that jax has."""

from __future__ import annotations

from typing import NamedTuple

import jax
import pytest

from lrlab.data.trees import filled, leaves, mapped


class Pair(NamedTuple):
    x: object
    y: object


@pytest.mark.parametrize("tree", [
    1, (1, 2), [1, (2, 3)], {"b": 1, "a": {"d": 2, "c": 3}}, Pair(1, [2, 3]), (), {},
])  # fmt: skip
def test_leaves_come_in_the_order_of_jax_and_go_back(tree):
    assert [leaf for _, leaf in leaves(tree)] == jax.tree.leaves(tree)
    doubled = mapped(lambda path, leaf: 2 * leaf, tree)
    assert doubled == jax.tree.map(lambda leaf: 2 * leaf, tree)
    assert type(doubled) is type(tree)


def test_values_fill_a_tree_in_order():
    assert filled({"b": 0, "a": (0, 0)}, iter([1, 2, 3])) == {"a": (1, 2), "b": 3}
