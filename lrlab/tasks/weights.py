"""Weights from files: orbax checkpoints, safetensors, Flax's msgpack, NumPy archives.

A file with flat names is a tree by their parts: "encoder/layer/0/kernel" and, where no name has a
slash, "encoder.layer.0.kernel".
"""

from __future__ import annotations

import functools
import inspect
import os
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from flax import serialization

from lrlab.core.errors import FieldError
from lrlab.core.extras import install
from lrlab.core.paths import resolved, short
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import first_line
from lrlab.engine.devices import prepare_devices
from lrlab.types import PyTree

OF_TRAINING = ("opt_state", "step")
"""What a saved TrainState of Flax holds beside its weights."""

FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)
"""What is called for weights. Other callables may be pytrees of arrays (a module of Equinox)."""


class Weights(NamedTuple):
    """`tree`: the weights; `place`: the file they are from, for messages, or ""; `left_out`: what
    else the file held."""

    tree: PyTree
    place: str = ""
    left_out: tuple[str, ...] = ()


def weights_of(params: object) -> Weights:
    """Weights from whatever `Task.supervised(params=...)` takes.

    Args:
        params: a pytree; the path of a file or a checkpoint's folder; or a function without
            arguments that gives one of these.

    Raises:
        FieldError: no such file, none that can be read, or a function that fails.

    >>> weights_of(lambda: {"w": 1.0}).tree
    {'w': 1.0}
    """
    if isinstance(params, FUNCTIONS):
        name = getattr(params, "__name__", repr(params))
        try:
            params = params()
        except FieldError:
            raise
        except Exception as error:
            raise FieldError(
                "params",
                f"the function {name} that gives the weights fails: {first_line(error)}; it is "
                "called without arguments",
            ) from error
        if inspect.isroutine(params):
            raise FieldError("params", f"the function {name} gave another function, no weights")
    if isinstance(params, (str, os.PathLike)):
        return read(params)
    return Weights(params)


def read(path: str | os.PathLike[str]) -> Weights:
    """The weights in a file or an orbax checkpoint's folder, as nested dicts of NumPy arrays.

    Of a saved TrainState `opt_state` and `step` are left out. What `lrlab export --params` wrote
    holds weights by seed: `FOLDER/SEED` takes one of them, and of one seed alone `FOLDER` does.

    Raises:
        FieldError: no such file, of an unknown kind, damaged, of several seeds, or its package is
            not installed.
    """
    try:
        place = resolved(path)
    except (TypeError, ValueError) as error:
        raise FieldError("params", str(error)) from None
    if place.is_dir():
        tree = _of_seed(_read(place, "an orbax checkpoint", _orbax), None, place)
    elif is_seed_of_export(place):
        held = _read(place.parent, "an orbax checkpoint", _orbax)
        tree = _of_seed(held, place.name, place.parent)
    elif not place.is_file():
        raise FieldError("params", f"no such file: {place}{_nearby(place)}")
    elif (kind := KINDS.get(place.suffix.lower())) is None:
        known = ", ".join(sorted({f"*{suffix}" for suffix in KINDS}))
        raise FieldError(
            "params",
            f"{short(place)}: weights are read from {known} and the folders of orbax checkpoints"
            + (PICKLES if place.suffix.lower() in (".pt", ".pth", ".bin", ".ckpt", ".pkl") else ""),
        )
    else:
        tree = _read(place, *kind)
    left = [key for key in OF_TRAINING if "params" in tree and key in tree]
    kept = {key: value for key, value in tree.items() if key not in left}
    return Weights(kept, short(place), tuple(left))


def is_seed_of_export(place: Path) -> bool:
    """Whether a path that is not there may be the seed of an export, `FOLDER/SEED`."""
    return place.name.isdecimal() and (place.parent / "_METADATA").is_file()


def _of_seed(tree: dict[str, PyTree], seed: str | None, place: Path) -> dict[str, PyTree]:
    """The weights of one seed of an export; any other tree as it is."""
    if not tree or not all(name.isdecimal() and _has_params(tree[name]) for name in tree):
        if seed is not None:
            raise FieldError(
                "params", f"{short(place)}: holds no weights by seed: leave /{seed} out"
            )
        return tree
    seeds = sorted(tree, key=int)
    if seed is None and len(seeds) == 1:
        return tree[seeds[0]]
    if seed not in tree:
        which = "the weights of several seeds" if seed is None else f"no weights of seed {seed}"
        raise FieldError(
            "params",
            f"{short(place)}: holds {which}, as lrlab export writes them: take one, as in "
            f'params="{short(place / seeds[0])}"; there are {", ".join(seeds)}',
        )
    return tree[seed]


def _has_params(tree: PyTree) -> bool:
    return isinstance(tree, dict) and "params" in tree


PICKLES = (
    "; a pickle can run any code: load it where it is trusted, and save it by "
    "safetensors.torch.save_file"
)


def nested(flat: Mapping[str, np.ndarray]) -> dict[str, PyTree]:
    """A tree of flat names.

    Raises:
        FieldError: a name that is another one's beginning.

    >>> nested({"a.b": 1, "a.c": 2}), nested({"a/b.c": 1})
    ({'a': {'b': 1, 'c': 2}}, {'a': {'b.c': 1}})
    """
    mark = "/" if any("/" in name for name in flat) else "."
    tree: dict[str, PyTree] = {}
    for name, value in flat.items():
        *above, last = name.split(mark)
        node = tree
        for part in above:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise FieldError("params", f"{name!r} lies below another array's name")
        if last in node:
            raise FieldError("params", f"{name!r} is the beginning of another array's name")
        node[last] = value
    return tree


def _read(place: Path, what: str, reader: Callable[[Path], PyTree]) -> dict[str, PyTree]:
    """What a reader gives, which is a dict; whatever it raises is about the file."""
    try:
        tree = reader(place)
    except FieldError as error:
        raise error.reworded(f"{short(place)}: {error}") from error
    except Exception as error:  # damaged files raise anything
        raise FieldError(
            "params", f"{short(place)}: cannot be read as {what} ({first_line(error)})"
        ) from error
    if not isinstance(tree, dict):
        raise FieldError("params", f"{short(place)}: holds no tree of weights by name")
    return tree


def _orbax(place: Path) -> PyTree:
    import orbax.checkpoint as orbax

    if (place / "run.json").is_file():
        raise FieldError(
            "params",
            f"is a run folder; `lrlab export {short(place)} --params DIR` writes its weights",
        )
    if not (place / "_METADATA").is_file():
        inside = sorted(one.parent for one in place.glob("*/_METADATA"))
        inside += sorted(one.parent for one in place.glob("*/*/_METADATA"))
        near = f"; did you mean {short(inside[-1])}?" if inside else ""
        raise FieldError("params", f"is a folder, but no orbax checkpoint{near}")
    prepare_devices()  # orbax asks JAX for its devices
    with orbax.PyTreeCheckpointer() as checkpointer:
        held = checkpointer.metadata(place).item_metadata.tree
        # As NumPy arrays, wherever they were when they were saved.
        as_numpy = jax.tree.map(lambda _: orbax.RestoreArgs(restore_type=np.ndarray), held)
        return _plain(checkpointer.restore(place, restore_args=as_numpy))


def _plain(tree: PyTree) -> PyTree:
    """A state of NNX, whose variables are saved as {"value": array} each, without that level."""
    leaves = jax.tree.leaves_with_path(tree)
    if not leaves or any(path[-1:] != (jax.tree_util.DictKey("value"),) for path, _ in leaves):
        return tree
    return jax.tree.map(lambda node: node["value"], tree, is_leaf=_is_variable)


def _is_variable(node: object) -> bool:
    return isinstance(node, dict) and node.keys() == {"value"}


def _safetensors(place: Path) -> PyTree:
    try:
        from safetensors.numpy import load_file  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        raise FieldError(
            "params", f"needs the package safetensors: {install('safetensors')}"
        ) from None
    return nested(load_file(place))


def _msgpack(place: Path) -> PyTree:
    return serialization.msgpack_restore(place.read_bytes())


def _npz(place: Path) -> PyTree:
    with np.load(place, allow_pickle=False) as archive:
        return nested({name: archive[name] for name in archive.files})


KINDS: Mapping[str, tuple[str, Callable[[Path], PyTree]]] = {
    ".safetensors": ("safetensors", _safetensors),
    ".msgpack": ("Flax's msgpack", _msgpack),
    ".flax": ("Flax's msgpack", _msgpack),
    ".npz": ("a NumPy archive", _npz),
}
"""Suffix -> the format in words, and its reader."""


def _nearby(place: Path) -> str:
    try:
        names = [one.name for one in place.parent.iterdir()]
    except OSError:
        return ""
    return did_you_mean(place.name, names)
