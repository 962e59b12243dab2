"""Weights to start from: a pytree of someone's, checked against what the model itself draws."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.core.errors import FieldError
from lrlab.models.calls import is_nnx
from lrlab.types import Array, PyTree

LISTED = 5
"""So many problems are named; the rest is counted."""


def fitted(name: str, given: PyTree, variables: PyTree) -> PyTree:
    """Weights in the form of a model's variables, as NumPy arrays.

    Args:
        name: whose model it is, for messages.
        given: the bare parameters, or a dict with "params" beside collections (each of them whole).
            Paths count, not containers: a list that was saved as a dict fits.
        variables: what the model's `init` gives, by shapes at least.

    Returns:
        {"params": ..., and the collections given}; bare parameters where the model has them so.

    Raises:
        FieldError: parameters that are missing, that the model does not have (with the nearest
            path), of another shape, or not finite numbers.

    >>> shapes = {"params": {"w": jax.ShapeDtypeStruct((2,), np.float32)}}
    >>> fitted("mine", {"w": [1.0, 2.0]}, shapes)
    {'params': {'w': array([1., 2.])}}
    """
    expected = variables if _has_params(variables) else {"params": variables}
    parts = _plain(given)
    parts = dict(parts) if _has_params(parts) else {"params": parts}
    wanted = {part: expected[part] for part in expected if part in parts}
    found, places = _by_path(parts), _by_path(wanted)
    structs: dict[str, jax.ShapeDtypeStruct] = {
        path: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype) for path, leaf in places.items()
    }
    problems = [
        f"{path} is missing{_nearest(path, found.keys() - places.keys(), 'given is')}"
        for path in places
        if path not in found
    ]
    problems += [
        f"the model has no {path}{_nearest(path, places.keys() - found.keys(), 'it has')}"
        for path in found
        if path not in places
    ]
    arrays = {path: _array(found[path], structs[path]) for path in places if path in found}
    problems += [
        f"{path} {problem}"
        for path, array in arrays.items()
        if (problem := _problem(array, structs[path]))
    ]
    if problems:
        more = f"; and {len(problems) - LISTED:,} more" if len(problems) > LISTED else ""
        raise FieldError(
            "params",
            f"{name}: params do not fit the model: {'; '.join(problems[:LISTED])}{more}. Give a "
            'pytree like the one that the model\'s init draws, or {"params": ..., and collections}',
        )
    leaves = [arrays[path] for path in places]
    result = jax.tree.unflatten(jax.tree.structure(wanted), leaves)
    return result if _has_params(variables) else result["params"]


def _has_params(tree: PyTree) -> bool:
    return isinstance(tree, Mapping) and "params" in tree


def _plain(tree: PyTree) -> PyTree:
    """A state of NNX as a dict of arrays; anything else as it is."""
    if not is_nnx(tree, "State"):
        return tree
    from flax import nnx

    return nnx.to_pure_dict(tree)


def _by_path(parts: Mapping[str, PyTree]) -> dict[str, Array]:
    """Arrays by path; those of "params" without that word, as everywhere else. A list of numbers is
    an array."""
    result: dict[str, Array] = {}
    for part, tree in parts.items():
        flat = jax.tree_util.tree_flatten_with_path(_plain(tree), is_leaf=_is_numbers)[0]
        for path, leaf in flat:
            own = jax.tree_util.keystr(path, simple=True, separator="/")
            words = [word for word in ("" if part == "params" else part, own) if word]
            result["/".join(words) or part] = leaf
    return result


def _is_numbers(node: object) -> bool:
    return isinstance(node, list) and all(isinstance(one, (int, float)) for one in node)


def _array(leaf: object, expected: jax.ShapeDtypeStruct) -> np.ndarray:
    """On the host and of the task's own; what JAX holds never changes, and is not copied. Whole
    numbers stand for floats, which keep their dtype."""
    array = np.asarray(leaf) if isinstance(leaf, jax.Array) else np.array(leaf)
    whole = _kind(array.dtype) == "integer" and _kind(np.dtype(expected.dtype)) == "floating"
    return array.astype(expected.dtype) if whole else array


def _problem(array: np.ndarray, expected: jax.ShapeDtypeStruct) -> str:
    """What is wrong with an array; "" if nothing."""
    if array.shape != expected.shape:
        return f"has shape {array.shape}, expected {expected.shape}"
    kinds = [_kind(array.dtype), _kind(np.dtype(expected.dtype))]
    if kinds[0] != kinds[1]:
        return f"has dtype {array.dtype}, expected {expected.dtype}"
    if kinds[0] == "floating" and not np.isfinite(array.astype(np.float32)).all():
        return "holds numbers that are not finite"
    return ""


def _kind(dtype: np.dtype) -> str:
    for kind in ("bool", "integer", "floating", "complexfloating"):
        generic = jnp.bool_ if kind == "bool" else getattr(jnp, kind)
        if jnp.issubdtype(dtype, generic):
            return kind
    return str(dtype)


def _nearest(path: str, others: set[str], words: str) -> str:
    """The most similar of other paths in brackets; "" where there is none."""
    near = difflib.get_close_matches(path, sorted(others), n=1, cutoff=0.5)
    return f" ({words} {near[0]})" if near else ""
