"""A state of the user's as the engine holds it: a dict of arrays by path, whatever it is made of.

A state may have static parts (functions of a Flax `TrainState`, the graph of an NNX module), which
belong to its structure and are made again by every call of `init`. JAX takes structures with other
functions for different ones. So the structure of the first call is kept, and arrays alone travel:
through compiled programs, to the disk, and into the next process.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.types import Array, PyTree

LISTED = 5
"""So many differences are named; the rest is counted."""


class Leaf(NamedTuple):
    """An array of a state: its path, shape, dtype, and for random keys their implementation."""

    path: str
    shape: tuple[int, ...]
    dtype: Any
    keys: str | None


class Form(NamedTuple):
    """What a state is made of: its structure (a `PyTreeDef`) and its arrays."""

    structure: Any
    leaves: tuple[Leaf, ...]

    def same(self, other: Form) -> bool:
        """Whether both have the same arrays at the same paths."""
        return self.leaves == other.leaves


def form_of(what: str, state: PyTree) -> Form:
    """The form of a state.

    Raises:
        FieldError: a leaf that is no array or number; names its path.
    """
    leaves = []
    for path, leaf in _paths(state):
        try:
            array = jnp.asarray(leaf)
        except (TypeError, ValueError) as error:
            raise FieldError(
                "task",
                f"{what} holds {type(leaf).__name__} at {path}, which is no array; close over it, "
                "or make it a static field",
            ) from error
        typed = jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
        keys = str(jax.random.key_impl(array)) if typed else None
        leaves.append(Leaf(path, array.shape, array.dtype, keys))
    return Form(jax.tree.structure(state), tuple(leaves))


def arrays_of(what: str, state: PyTree) -> PyTree:
    """The state with numbers of Python as arrays.

    Raises:
        FieldError: as `form_of`.

    >>> arrays_of("the state", {"n": 1.5})["n"].shape
    ()
    """
    form_of(what, state)
    return jax.tree.map(jnp.asarray, state)


def flat(state: PyTree) -> dict[str, Array]:
    """Arrays by path, random keys as their numbers; numbers of Python as arrays, none of weak type.

    >>> sorted(flat({"step": 0, "w": jnp.zeros(2)}))
    ['step', 'w']
    """
    return {path: _plain(leaf) for path, leaf in _paths(state)}


def whole(form: Form, arrays: dict[str, Array]) -> PyTree:
    """The inverse of `flat`."""
    leaves = [
        arrays[leaf.path]
        if leaf.keys is None
        else jax.random.wrap_key_data(arrays[leaf.path], impl=leaf.keys)
        for leaf in form.leaves
    ]
    return jax.tree.unflatten(form.structure, leaves)


def differences(before: Form, after: Form) -> str:
    """In which arrays two forms differ, in words; "" where they do not."""
    old, new = ({leaf.path: leaf for leaf in form.leaves} for form in (before, after))
    said = [f"{path} is gone" for path in old if path not in new]
    said += [f"{path} is new" for path in new if path not in old]
    said += [
        f"{path} {_kind(old[path])} -> {_kind(new[path])}"
        for path in old
        if path in new and old[path] != new[path]
    ]
    more = f"; and {len(said) - LISTED:,} more" if len(said) > LISTED else ""
    return "; ".join(said[:LISTED]) + more


def _kind(leaf: Leaf) -> str:
    return f"{leaf.dtype}{list(leaf.shape)}"


def _paths(state: PyTree) -> list[tuple[str, Any]]:
    """(path, leaf) of all leaves; a path that several have is numbered."""
    result: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        own = jax.tree_util.keystr(path, simple=True, separator="/") or "state"
        result[own if own not in result else f"{own}#{len(result)}"] = leaf
    return list(result.items())


def _plain(leaf: PyTree) -> Array:
    array = jnp.asarray(leaf)
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(array)
    return jax.lax.convert_element_type(array, array.dtype)  # no weak type
