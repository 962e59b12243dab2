"""`load`: from a source's name to checked, split and standardized arrays."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from typing import Any

import numpy as np

from lrlab.data.dataset import DataError, Dataset, Raw, Split, check_split, digest


def load(
    spec: str,
    valid_fraction: float = 0.2,
    test_fraction: float = 0.0,
    split_seed: int = 0,
    root: str | None = None,
    **options: Any,
) -> Dataset:
    """Loads a data set by name, or `kind:path` (`npz:my.npz`, `csv:table.csv`, `text:corpus.txt`).

    Classes keep their shares in every split. Columns of tables are standardized with the mean and
    deviation of the training split; so are regression targets. Nothing is downloaded unless the
    source is `hf:`, `tfds:` or `openml:`.

    Args:
        spec: a key of `lrlab.data.NAMES`, with `:path` where it reads a file.
        valid_fraction: the share of examples held out for validation, where the source has no
            validation split of its own.
        test_fraction: likewise for a test split; 0 for none.
        split_seed: which examples are held out.
        root: the folder of the source's files, for sources that look for them.
        options: further arguments of the source.

    Raises:
        DataError: unknown source, missing or damaged files, data that make no sense.

    >>> data = load("digits")
    >>> data.train[0].shape, data.valid[0].shape, data.classes
    ((1437, 64), (360, 64), 10)
    """
    name, _, path = spec.partition(":")
    source = _source(name)
    if path:
        options["path"] = path
    if root is not None:
        options["root"] = root
    _check_options(name, source, options)
    for label, share in (("valid_fraction", valid_fraction), ("test_fraction", test_fraction)):
        if not 0 <= share < 1:
            raise DataError(f"{label} must be at least 0 and below 1, got {share}")
    frozen = tuple(
        (key, tuple(value) if isinstance(value, list) else value) for key, value in options.items()
    )
    raw = _read(name, frozen) if name in CACHED else source(**options)
    return _finish(spec, raw, valid_fraction, test_fraction, split_seed)


CACHED = ("digits", "wine", "breast_cancer", "iris", "diabetes", "mnist1d", "stdlib")
"""Sources that cannot change while the process runs."""


@functools.lru_cache(maxsize=16)
def _read(name: str, options: tuple[tuple[str, Any], ...]) -> Raw:
    return _source(name)(**dict(options))


def _source(name: str) -> Any:
    from lrlab.data import NAMES

    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(f"there is no data source {name!r}{hint} Known: {', '.join(NAMES)}")
    module, function = NAMES[name].split(":")
    return getattr(importlib.import_module(module), function)


def _check_options(name: str, source: Any, options: dict[str, Any]) -> None:
    known = inspect.signature(source).parameters
    for key in options:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            takes = ", ".join(known) or "no options"
            raise DataError(f"data source {name!r} has no option {key!r}{hint} It takes: {takes}")
    for key, parameter in known.items():
        if parameter.default is parameter.empty and key not in options:
            raise DataError(f"data source {name!r} needs {key}: write {name}:PATH")


def _finish(
    spec: str, raw: Raw, valid_fraction: float, test_fraction: float, split_seed: int
) -> Dataset:
    where = raw.where
    train = check_split(*raw.train, raw.kind, raw.classes, where)
    given = {
        "valid": None
        if raw.valid is None
        else check_split(*raw.valid, raw.kind, raw.classes, where),
        "test": None if raw.test is None else check_split(*raw.test, raw.kind, raw.classes, where),
    }
    shares = {
        "valid": 0.0 if given["valid"] is not None else valid_fraction,
        "test": 0.0 if given["test"] is not None else test_fraction,
    }
    held = held_out(train[1], raw.kind, shares, split_seed)
    parts = {name: _take(train, rows) for name, rows in held.items()}
    for name, split in given.items():
        if split is not None:
            parts[name] = split
    if not len(parts["train"][0]):
        raise DataError(f"{where}: nothing is left to train on after the validation split")
    if "valid" not in parts:
        raise DataError(f"{where}: no validation examples; give a valid_fraction above 0")
    if raw.tabular:
        parts = _standardized(parts, raw.kind == "regression")
    splits = [parts.get(name) for name in ("train", "valid", "test")]
    sha256 = digest(*splits)
    info = {
        "name": spec,
        "where": where,
        "kind": raw.kind,
        "classes": raw.classes,
        "license": raw.license,
        "sha256": sha256,
        "shapes": {name: [list(values.shape) for values in split] for name, split in parts.items()},
        "split_seed": split_seed,
        "valid_fraction": valid_fraction,
        "test_fraction": test_fraction,
    }
    return Dataset(
        spec, parts["train"], parts["valid"], parts.get("test"), raw.kind, raw.classes, sha256, info
    )


def held_out(
    targets: np.ndarray, kind: str, shares: dict[str, float], seed: int
) -> dict[str, np.ndarray]:
    """Split name -> sorted example numbers; classes keep their shares (largest remainders)."""
    random = np.random.default_rng(seed)
    count = len(targets)
    order = random.permutation(count)
    if kind == "classification" and targets.ndim == 1:
        # Examples of each class spread evenly over [0, 1): any prefix holds every class's share.
        place = np.empty(count)
        for label in np.unique(targets):
            mine = order[targets[order] == label]
            place[mine] = (np.arange(len(mine)) + random.random()) / len(mine)
        order = np.argsort(place, kind="stable")
    parts, start = {}, 0
    for name, share in shares.items():
        size = round(share * count) if share else 0
        if size:
            parts[name] = np.sort(order[start : start + size])
        start += size
    parts["train"] = np.sort(order[start:])
    return parts


def _take(split: Split, rows: np.ndarray) -> Split:
    return split[0][rows], split[1][rows]


def _standardized(parts: dict[str, Split], targets: bool) -> dict[str, Split]:
    def scaler(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wide = values.astype(np.float64)
        deviation = wide.std(0)
        return wide.mean(0), np.where(deviation > 0, deviation, 1.0)

    def scaled(values: np.ndarray, scale: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        return ((values - scale[0]) / scale[1]).astype(np.float32)

    inputs = scaler(parts["train"][0])
    outputs = scaler(parts["train"][1]) if targets else None
    return {
        name: (scaled(x, inputs), y if outputs is None else scaled(y, outputs))
        for name, (x, y) in parts.items()
    }
