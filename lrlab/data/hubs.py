"""Sources that download; optional, and never used by anything that lrlab does by itself."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from lrlab.data.dataset import DataError, Raw

OFFLINE = "digits, wine, breast_cancer, iris, diabetes, mnist1d, fashion_mnist, stdlib, npz:, csv:"


def _package(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DataError(f"this source needs a package: pip install lrlab[{extra}]") from None


def _unreachable(what: str, error: Exception) -> DataError:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"cannot reach {what} ({first}); sources without a network: {OFFLINE}")


def hf(path: str, input: str = "image", target: str = "label") -> Raw:
    """A classification set of the Hugging Face hub, by its name; needs `lrlab[hf]`."""
    datasets = _package("datasets", "hf")
    try:
        found = datasets.load_dataset(path)
    except Exception as error:  # the hub's client raises whatever its transport raised
        raise _unreachable(f"the data set {path!r}", error) from None
    splits = {}
    for ours, theirs in (("train", "train"), ("valid", "validation"), ("test", "test")):
        if theirs in found:
            part = found[theirs]
            if input not in part.column_names or target not in part.column_names:
                raise DataError(
                    f"hf:{path}: no columns {input!r} and {target!r}; it has {part.column_names}"
                )
            splits[ours] = (np.stack([np.asarray(v) for v in part[input]]), np.array(part[target]))
    return _hub_raw(f"hf:{path}", splits)


def tfds(path: str) -> Raw:
    """A supervised set of TensorFlow Datasets, by its name; needs `lrlab[tfds]`."""
    library = _package("tensorflow_datasets", "tfds")
    splits = {}
    try:
        for ours, theirs in (("train", "train"), ("valid", "test")):
            x, y = library.as_numpy(
                library.load(path, split=theirs, batch_size=-1, as_supervised=True)
            )
            splits[ours] = (x, y)
    except Exception as error:
        raise _unreachable(f"the data set {path!r}", error) from None
    return _hub_raw(f"tfds:{path}", splits)


def openml(path: str) -> Raw:
    """A table of OpenML, by name or number, through scikit-learn; needs the network."""
    from sklearn import datasets

    try:
        query: dict[str, Any] = {"data_id": int(path)} if path.isdigit() else {"name": path}
        x, y = datasets.fetch_openml(**query, return_X_y=True, as_frame=False)
    except Exception as error:
        raise _unreachable(f"OpenML's {path!r}", error) from None
    if y.dtype.kind in "OUS":
        names, y = np.unique(y, return_inverse=True)
        return Raw(
            (x, y), "classification", len(names), "see OpenML", f"openml:{path}", tabular=True
        )
    return Raw((x, y), "regression", 1, "see OpenML", f"openml:{path}", tabular=True)


def _hub_raw(where: str, splits: dict[str, Any]) -> Raw:
    if "train" not in splits:
        raise DataError(f"{where}: no training split")
    x, y = splits["train"]
    if x.dtype == np.uint8:
        splits = {name: (a / np.float32(255), b) for name, (a, b) in splits.items()}
    return Raw(
        splits["train"],
        "classification",
        int(np.max(y)) + 1,
        "see the hub",
        where,
        splits.get("valid"),
        splits.get("test"),
    )
