"""Data that other libraries fetch: Hugging Face datasets, TensorFlow Datasets, OpenML."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from lrlab.core.extras import install
from lrlab.core.text import JsonObject
from lrlab.data.checks import same_length, targets
from lrlab.data.dataset import DataError, Raw, Split, digest
from lrlab.data.naming import INPUTS, TARGETS, kept, one_of, split_of, unused
from lrlab.data.values import as_inputs, numbers

Fetched = TypeVar("Fetched")

OFFLINE = (
    "digits, wine, breast_cancer, iris, diabetes, mnist1d, chebyshev, stdlib, npz:, csv:, idx:"
)


def hf(
    name: str,
    *,
    subset: str | None = None,
    inputs: str | None = None,
    target: str | None = None,
    kind: str | None = None,
    num_classes: int | None = None,
    ignore: Sequence[str] = (),
) -> Raw:
    """Hugging Face dataset: splits `train`, and `validation` and `test` where there are any.

    `inputs` and `target` name the columns where they cannot be guessed. Other splits and columns
    are listed in `ignore` (names or patterns), or an error. Needs `lrlab[hf]`.
    """
    datasets = _package("datasets", "hf")
    result = _reach(
        f"hf:{name}",
        "the Hugging Face hub and its cache",
        lambda: datasets.load_dataset(name, subset),
    )
    columns = {split: list(part.column_names) for split, part in result.items()}
    chosen = _chosen(f"hf:{name}", columns, inputs, target, ignore)
    parts = {split: (_stack(result[of][x]), result[of][y]) for split, (of, x, y) in chosen.items()}
    return _raw(f"hf:{name}", parts, kind, num_classes, f"datasets {datasets.__version__}")


def tfds(
    name: str,
    *,
    inputs: str | None = None,
    target: str | None = None,
    kind: str | None = None,
    num_classes: int | None = None,
    ignore: Sequence[str] = (),
) -> Raw:
    """TensorFlow dataset: splits `train`, and `validation` and `test` where there are any.

    Other splits and features are listed in `ignore` (names or patterns), or an error. Needs
    `lrlab[tfds]`.
    """
    library = _package("tensorflow_datasets", "tfds")
    result = _reach(
        f"tfds:{name}",
        "the TensorFlow Datasets store and its cache",
        lambda: library.as_numpy(library.load(name, batch_size=-1)),
    )
    columns = {split: list(part) for split, part in result.items()}
    chosen = _chosen(f"tfds:{name}", columns, inputs, target, ignore)
    parts = {split: (result[of][x], result[of][y]) for split, (of, x, y) in chosen.items()}
    return _raw(f"tfds:{name}", parts, kind, num_classes, f"tfds {library.__version__}")


def openml(name: str, *, kind: str | None = None, num_classes: int | None = None) -> Raw:
    """OpenML data set by name or number, numeric columns only; standardized as tables are.

    Text targets are numbered in the order of their names.
    """
    from sklearn.datasets import fetch_openml

    which: JsonObject = {"data_id": int(name)} if name.isdigit() else {"name": name}
    bunch: Any = _reach(
        f"openml:{name}",
        "openml.org and scikit-learn's data folder",
        lambda: fetch_openml(**which, as_frame=False, parser="liac-arff"),
    )
    y = np.asarray(bunch.target)
    if y.dtype.kind in "OUS" and kind != "regression":
        y = np.unique(y.astype(str), return_inverse=True)[1]
        kind = "classification"
    try:
        x = np.asarray(bunch.data, np.float64)
        y = y.astype(float) if y.dtype.kind in "OUS" else y
    except (TypeError, ValueError) as error:
        raise DataError(f"openml:{name}: has columns that are not numbers ({error})") from error
    raw = _raw(f"openml:{name}", {"train": (x, y)}, kind, num_classes, "OpenML")
    return raw._replace(scale="standard")


def _package(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(f"{extra}: data need the package {module}: {install(extra)}") from error


def _reach(spec: str, where: str, fetch: Callable[[], Fetched]) -> Fetched:
    try:
        return fetch()
    except Exception as error:
        raise DataError(
            f"{spec}: cannot reach it ({type(error).__name__}: {error}); looked in {where}; "
            f"offline sources: {OFFLINE}"
        ) from error


def _chosen(
    spec: str,
    columns: Mapping[str, list[str]],
    inputs: str | None,
    target: str | None,
    ignore: Sequence[str],
) -> dict[str, tuple[str, str, str]]:
    """lrlab's split -> (its name there, the column of inputs, the column of targets).

    Raises:
        DataError: a split or a column that is in no use, or none that can be meant.
    """
    every = dict.fromkeys([*columns, *(name for names in columns.values() for name in names)])
    accepted = set(kept(every, ignore, spec))
    result: dict[str, tuple[str, str, str]] = {}
    for name, names in columns.items():
        split = split_of(name)
        if name not in accepted:
            continue
        if split is None or split in result:
            raise DataError(
                f"{spec}: has the splits {', '.join(columns)}, and {name!r} is none of one train, "
                f"validation and test; leave it out with ignore = [{name!r}]"
            )
        mine = [column for column in names if column in accepted]
        try:
            x = one_of(mine, inputs, INPUTS, "inputs")
            y = one_of(mine, target, TARGETS, "target")
        except DataError as error:
            raise error.reworded(f"{spec}, {name}: {error}") from error
        unused(mine, (x, y), f"{spec}, {name}")
        result[split] = name, x, y
    return result


def _stack(column: Iterable[ArrayLike]) -> np.ndarray:
    shapes = {np.shape(item) for item in column}
    if len(shapes) > 1:
        raise DataError(
            f"inputs have different shapes: {sorted(shapes)[:4]}; make them equal first"
        )
    return np.stack([np.asarray(item) for item in column])


def _raw(
    spec: str,
    parts: Mapping[str, tuple[ArrayLike, ArrayLike]],
    kind: str | None,
    num_classes: int | None,
    package: str,
) -> Raw:
    if "train" not in parts:
        raise DataError(f"{spec}: has no split named train")
    splits: dict[str, Split] = {}
    for split, (inputs, outputs) in parts.items():
        x = numbers(inputs, f"{spec}, {split} inputs")
        y, kind = targets(outputs, f"{spec}, {split} targets", kind, num_classes)
        same_length(x, y, f"{spec}, {split}")
        splits[split] = (as_inputs(x, 255 if x.dtype == np.uint8 else 1), y)
    assert kind is not None
    if kind == "classification" and num_classes is None:
        num_classes = max(int(y.max()) for _, y in splits.values()) + 1
    return Raw(
        splits=splits,
        kind=kind,
        license="see the data set's page",
        origin={"package": package, "dataset": spec},
        sha256=digest(array for split in splits.values() for array in split),
        num_classes=num_classes if kind == "classification" else None,
    )
