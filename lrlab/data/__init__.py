"""Data: sources become arrays in splits, with their hash; batches are a function of (seed, step).

A source is a function in one file of this package with one line in `NAMES`; its keyword arguments
are its options. Nothing here imports jax (except `batches`) or scikit-learn before it is needed.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.core import registry
from lrlab.core.registry import Parameter, Registry
from lrlab.core.text import JsonObject, Table
from lrlab.data.checks import varied
from lrlab.data.dataset import DataError, Dataset, Raw
from lrlab.data.splits import limited, scaled, split
from lrlab.data.streams import Stream, stream

NAMES: dict[str, str] = {
    "digits": "lrlab.data.bundled:digits",
    "wine": "lrlab.data.bundled:wine",
    "breast_cancer": "lrlab.data.bundled:breast_cancer",
    "iris": "lrlab.data.bundled:iris",
    "diabetes": "lrlab.data.bundled:diabetes",
    "fashion_mnist": "lrlab.data.idx:fashion_mnist",
    "mnist1d": "lrlab.data.synthetic:mnist1d",
    "chebyshev": "lrlab.data.synthetic:chebyshev",
    "stdlib": "lrlab.data.text:stdlib",
    "text": "lrlab.data.text:text",
    "npz": "lrlab.data.npz:npz",
    "csv": "lrlab.data.table:csv",
    "idx": "lrlab.data.idx:idx",
    "hf": "lrlab.data.online:hf",
    "tfds": "lrlab.data.online:tfds",
    "openml": "lrlab.data.online:openml",
}
"""Name -> "module:function". `text`, `npz`, `csv`, `idx` take a path (`csv:PATH`), the last three a
name (`hf:NAME`)."""

__all__ = [
    "COMMON",
    "NAMES",
    "REGISTRY",
    "DataError",
    "Dataset",
    "Stream",
    "load",
    "options",
    "stream",
]


def load(
    spec: str | Table,
    valid_fraction: float = 0.2,
    test_fraction: float = 0.0,
    split_seed: int = 0,
    root: str | Path | None = None,
    *,
    scale: str | None = None,
    max_train: int | None = None,
    max_valid: int | None = None,
    **source_options: Any,
) -> Dataset:
    """The data that `spec` names, split and scaled; the same arguments give the same arrays.

    Args:
        spec: a name, `csv:PATH` and the like, or a mapping {"name": ..., option: ...}.
        valid_fraction, test_fraction: the parts held out, stratified by class where there are
            classes; sources with official splits (fashion_mnist, mnist1d) keep those, and another
            fraction for one of them is an error.
        split_seed: chooses the held-out examples.
        root: the folder that relative paths start from; None for the current one.
        scale: "standard" (mean 0, variance 1 per feature in the training split; regression targets
            too) or "none"; None for the source's own: "standard" for tables.
        max_train, max_valid: keep at most so many examples of a split.
        source_options: see `options(name)`.

    Raises:
        DataError: a ValueError that names what is wrong with the data, and where.

    >>> dataset = load("iris")
    >>> dataset.shapes["train"], dataset.shapes["valid"], dataset.num_outputs
    (((120, 4), (120,)), ((30, 4), (30,)), 3)
    """
    if isinstance(spec, Mapping):
        table = dict(spec)
        if "name" not in table:
            raise DataError(f"data needs a name; known: {', '.join(NAMES)}", "name")
        common = dict(
            valid_fraction=valid_fraction, test_fraction=test_fraction, split_seed=split_seed,
            root=root, scale=scale, max_train=max_train, max_valid=max_valid,
        )  # fmt: skip
        return load(table.pop("name"), **{**common, **source_options, **table})
    name, argument = _parsed(spec, source_options)
    raw = _read(name, argument, source_options, root)
    if scale not in (None, "standard", "none"):
        raise DataError(f'scale must be "standard" or "none", got {scale!r}', "scale")
    if scale == "standard" and raw.kind == "tokens":
        raise DataError('scale = "standard" makes no sense for tokens', "scale")
    varied(raw.splits, spec)
    splits = split(raw, valid_fraction, test_fraction, split_seed)
    for part, count, label in (
        ("train", max_train, "max_train"),
        ("valid", max_valid, "max_valid"),
    ):
        if part in splits:
            splits[part] = limited(splits[part], count, label, split_seed, raw.contiguous)
    splits = scaled(splits, scale or raw.scale, raw.kind)
    y = splits["train"][1]
    outputs = raw.num_classes or (1 if y.ndim == 1 else int(y.shape[1]))
    shapes = {part: (x.shape, target.shape) for part, (x, target) in splits.items()}
    recorded = {
        "name": spec,
        "kind": raw.kind,
        "sha256": raw.sha256,
        "license": raw.license,
        "scale": scale or raw.scale,
        "split": {
            "valid_fraction": valid_fraction,
            "test_fraction": test_fraction,
            "split_seed": split_seed,
            "max_train": max_train,
            "max_valid": max_valid,
            "official": sorted(set(raw.splits) - {"train"}),
        },
        "shapes": {part: [list(x), list(target)] for part, (x, target) in shapes.items()},
        "options": {key: _plain(value) for key, value in source_options.items()},
        "origin": dict(raw.origin),
    }
    return Dataset(
        train=splits["train"],
        valid=splits.get("valid"),
        test=splits.get("test"),
        name=spec,
        kind=raw.kind,
        num_outputs=outputs,
        num_classes=raw.num_classes,
        sha256=raw.sha256,
        shapes=shapes,
        license=raw.license,
        source=recorded,
    )


COMMON: dict[str, object] = {
    option.name: option.default
    for option in inspect.signature(load).parameters.values()
    if option.name not in ("spec", "root", "source_options")
}
"""Options of `load` that every source takes, with their defaults."""

REGISTRY: Registry[str] = Registry(
    "data", NAMES, common=COMMON, error=lambda option, message: DataError(message, option)
)


def options(name: str) -> dict[str, object]:
    """The options of a source and their defaults, those of `load` left out.

    >>> options("digits")
    {'flat': True}
    """
    return {option: own.default for option, own in _own(name).items() if not own.required}


def takes_argument(name: str) -> bool:
    """Whether a source needs a path or name after a colon."""
    return any(own.required for own in _own(name).values())


def _own(name: str) -> dict[str, Parameter]:
    return registry.signature(REGISTRY, name)


def _parsed(spec: str, source_options: JsonObject) -> tuple[str, str | None]:
    if not isinstance(spec, str):
        raise DataError(f"data must be named by a string, got {spec!r}", "name")
    name, colon, argument = spec.partition(":")
    if takes_argument(name):
        argument = argument or str(source_options.pop("path", ""))
        if not argument:
            raise DataError(f"data {name!r} needs a path or name: write {name}:...", "path")
        return name, argument
    if colon:
        raise DataError(f"data {name!r} takes nothing after a colon, got {spec!r}", "name")
    return name, None


def _read(
    name: str, argument: str | None, source_options: JsonObject, root: str | Path | None
) -> Raw:
    accepted = options(name)
    for key in source_options:
        if key not in accepted:
            raise registry.unknown_option(REGISTRY, name, key, [*accepted, *COMMON])
    function = registry.load(REGISTRY, name)
    paths = {
        key: _path(source_options[key], root)
        for key in ("path", "labels")
        if source_options.get(key)
    }
    filled = {**source_options, **paths}
    if argument is None:
        return function(**filled)
    first = next(iter(_own(name)))
    return function(_path(argument, root) if first == "path" else argument, **filled)


def _path(value: str | Path, root: str | Path | None) -> Path:
    return Path(root or ".") / Path(value).expanduser()


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value
