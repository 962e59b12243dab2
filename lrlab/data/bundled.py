"""The data sets that scikit-learn carries: real, small, on every machine."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

import numpy as np

from lrlab.data.dataset import Raw, digest

_FILES: dict[str, tuple[tuple[str, ...], int]] = {
    "load_digits": (("digits.csv.gz",), 0),
    "load_wine": (("wine_data.csv",), 1),
    "load_breast_cancer": (("breast_cancer.csv",), 1),
    "load_iris": (("iris.csv",), 1),
    "load_diabetes": (("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"), 0),
}
"""scikit-learn's function -> the files it reads, and their lines of heading."""


def digits(*, flat: bool = True) -> Raw:
    """Handwritten digits: 1,797 images of 8x8, 10 classes; pixels divided by 16 into [0, 1].

    Test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI).
    Inputs are flat [N, 64], or [N, 8, 8] with `flat=False`.
    """
    x, y = _load("load_digits")
    x = x / 16.0
    return _raw("load_digits", x if flat else x.reshape(-1, 8, 8), y, "classification", "none")


def wine() -> Raw:
    """Wines: 178 chemical analyses of 13 numbers, 3 cultivars (Aeberhard and Forina 1992, UCI)."""
    return _raw("load_wine", *_load("load_wine"), "classification", "standard")


def breast_cancer() -> Raw:
    """Breast cancer: 569 samples of 30 numbers, malignant or benign (Wolberg et al. 1995, UCI)."""
    return _raw("load_breast_cancer", *_load("load_breast_cancer"), "classification", "standard")


def iris() -> Raw:
    """Iris: 150 flowers of 4 lengths, 3 species (Fisher 1936)."""
    return _raw("load_iris", *_load("load_iris"), "classification", "standard")


def diabetes() -> Raw:
    """Diabetes: 442 patients of 10 numbers; the target is disease progression (Efron et al. 2004).

    Inputs and target are standardized by the training split.
    """
    x, y = _load("load_diabetes")
    return _raw("load_diabetes", x, y, "regression", "standard")


def _load(function: str) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) as `sklearn.datasets` gives them, with `scaled=False` where it scales.

    The files are read where they lie: importing scikit-learn takes longer than training on them.
    Where a version keeps them elsewhere, it is asked itself.
    """
    package = importlib.util.find_spec("sklearn")
    folder = Path(next(iter(package.submodule_search_locations or ()), "") if package else "")
    files, skipped = _FILES[function]
    paths = [folder / "datasets" / "data" / name for name in files]
    if not all(path.exists() for path in paths):
        from sklearn import datasets

        unscaled = {"scaled": False} if function == "load_diabetes" else {}
        x, y = getattr(datasets, function)(return_X_y=True, **unscaled)
        return np.asarray(x, np.float64), np.asarray(y)
    delimiter = None if function == "load_diabetes" else ","
    tables = [np.loadtxt(path, delimiter=delimiter, skiprows=skipped) for path in paths]
    return (tables[0], tables[1]) if len(tables) == 2 else (tables[0][:, :-1], tables[0][:, -1])


def _raw(function: str, x: np.ndarray, y: np.ndarray, kind: str, scale: str) -> Raw:
    y = y.astype(np.int32 if kind == "classification" else np.float64)
    return Raw(
        splits={"train": (x, y)},
        kind=kind,
        license="CC BY 4.0 (UCI); shipped with scikit-learn (BSD-3-Clause)"
        if function != "load_diabetes"
        else "public (Efron et al. 2004); shipped with scikit-learn (BSD-3-Clause)",
        origin={
            "package": f"scikit-learn {metadata.version('scikit-learn')}",
            "function": function,
        },
        sha256=digest((x, y)),
        num_classes=int(y.max()) + 1 if kind == "classification" else None,
        scale=scale,
    )
