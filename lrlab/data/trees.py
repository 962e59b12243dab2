"""Examples as nests of arrays (tuples, lists, dicts), for modules that do without jax."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

Tree = object
"""An array, or a tuple, a list or a dict of trees."""


def leaves(tree: Tree, path: str = "") -> Iterator[tuple[str, object]]:
    """(path, leaf) of every leaf; keys of a dict in sorted order, as JAX has them.

    >>> list(leaves({"b": 1, "a": (2, 3)}))
    [('a/0', 2), ('a/1', 3), ('b', 1)]
    """
    if isinstance(tree, Mapping):
        for key in sorted(tree):
            yield from leaves(tree[key], _below(path, key))
    elif isinstance(tree, (tuple, list)):
        for number, part in enumerate(tree):
            yield from leaves(part, _below(path, number))
    else:
        yield path, tree


def filled(tree: Tree, values: Iterator[object]) -> Tree:
    """A tree like `tree`, its leaves replaced by `values`, in the order of `leaves`.

    >>> filled({"b": 1, "a": (2, 3)}, iter("xyz"))
    {'a': ('x', 'y'), 'b': 'z'}
    """
    if isinstance(tree, Mapping):
        return {key: filled(tree[key], values) for key in sorted(tree)}
    if isinstance(tree, (tuple, list)):
        parts = [filled(part, values) for part in tree]
        named = getattr(type(tree), "_make", None)
        return parts if isinstance(tree, list) else named(parts) if named else tuple(parts)
    return next(values)


def mapped(function: Callable[[str, object], object], tree: Tree) -> Tree:
    """`function(path, leaf)` of every leaf, in a tree like `tree`.

    >>> mapped(lambda path, leaf: f"{path}={leaf}", (1, {"y": 2}))
    ('0=1', {'y': '1/y=2'})
    """
    return filled(tree, iter([function(path, leaf) for path, leaf in leaves(tree)]))


def numeric_rows(tree: Tree) -> bool:
    """Whether a list holds numbers at whatever depth, and so is one array.

    >>> numeric_rows([[1, 2], [3, 4]]), numeric_rows([{"x": 1}])
    (True, False)
    """
    if isinstance(tree, list):
        return all(map(numeric_rows, tree))
    return isinstance(tree, (int, float)) or getattr(tree, "shape", None) == ()


def _below(path: str, key: object) -> str:
    return f"{path}/{key}" if path else str(key)
