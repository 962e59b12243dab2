"""Data: sources become arrays in splits, with their hash; batches are a function of (seed, step).

A source is a function in one file of this package with one line in `NAMES`; its keyword arguments
are its options. Nothing here imports jax (except `batches`) or scikit-learn before it is needed.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.data.dataset import DataError, Dataset, Raw

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

COMMON = ("valid_fraction", "test_fraction", "split_seed", "scale", "max_train", "max_valid")
"""Options of `load` that every source takes."""

__all__ = ["COMMON", "NAMES", "DataError", "Dataset", "load", "options"]


def load(
    spec: str | Mapping[str, Any],
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
    from lrlab.data.checks import varied
    from lrlab.data.splits import limited, scaled, split

    if isinstance(spec, Mapping):
        given = dict(spec)
        if "name" not in given:
            raise DataError(f"data needs a name; known: {', '.join(NAMES)}", "name")
        common = dict(
            valid_fraction=valid_fraction, test_fraction=test_fraction, split_seed=split_seed,
            root=root, scale=scale, max_train=max_train, max_valid=max_valid,
        )  # fmt: skip
        return load(given.pop("name"), **{**common, **source_options, **given})
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


def options(name: str) -> dict[str, Any]:
    """The options of a source and their defaults, those of `load` left out.

    >>> options("digits")
    {'flat': True}
    """
    parameters = inspect.signature(_function(name)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def takes_argument(name: str) -> bool:
    """Whether a source needs a path or name after a colon."""
    parameters = inspect.signature(_function(name)).parameters.values()
    return any(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)


@functools.lru_cache(maxsize=64)
def _function(name: str) -> Callable[..., Raw]:
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(f"there is no data {name!r}{hint} Known: {', '.join(NAMES)}", "name")
    module, function = NAMES[name].split(":")
    return getattr(importlib.import_module(module), function)


def _parsed(spec: str, given: dict[str, Any]) -> tuple[str, str | None]:
    if not isinstance(spec, str):
        raise DataError(f"data must be named by a string, got {spec!r}", "name")
    name, colon, argument = spec.partition(":")
    _function(name)
    if takes_argument(name):
        argument = argument or str(given.pop("path", ""))
        if not argument:
            raise DataError(f"data {name!r} needs a path or name: write {name}:...", "path")
        return name, argument
    if colon:
        raise DataError(f"data {name!r} takes nothing after a colon, got {spec!r}", "name")
    return name, None


def _read(name: str, argument: str | None, given: dict[str, Any], root: str | Path | None) -> Raw:
    function, known = _function(name), options(name)
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, [*known, *COMMON], 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            has = ", ".join([*known, *COMMON])
            raise DataError(f"data {name!r} has no option {key!r}{hint} It has: {has}", key)
    paths = {key: _path(given[key], root) for key in ("path", "labels") if given.get(key)}
    filled = {**given, **paths}
    if argument is None:
        return function(**filled)
    first = next(iter(inspect.signature(function).parameters))
    return function(_path(argument, root) if first == "path" else argument, **filled)


def _path(value: Any, root: str | Path | None) -> Path:
    return Path(root or ".") / Path(value).expanduser()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value
