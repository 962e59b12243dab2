"""Every source gives what it promises, and wrong requests are named."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import numpy as np
import pytest

from lrlab import data
from lrlab.core import registry
from lrlab.data import DataError, bundled

LOCAL = ["digits", "wine", "breast_cancer", "iris", "diabetes", "mnist1d", "chebyshev", "stdlib"]


@pytest.mark.parametrize("name", LOCAL)
def test_source_contract(name):
    first, again = data.load(name), data.load(name)
    assert first.sha256 == again.sha256 and len(first.sha256) == 64
    for key, (x, y) in first.splits().items():
        assert first.shapes[key] == (x.shape, y.shape) and len(x) == len(y) > 0
        assert np.isfinite(x).all() and np.isfinite(y).all()
        assert np.array_equal(x, again.splits()[key][0])
        if first.kind != "regression":
            assert y.dtype == np.int32 and y.min() >= 0 and y.max() < first.num_outputs
    assert first.license and json.loads(json.dumps(first.source))["sha256"] == first.sha256


def test_every_source_has_a_summary_and_options():
    for name in data.NAMES:
        assert isinstance(data.options(name), dict)
        assert registry.summary(data.REGISTRY, name).endswith(".")


def test_import_costs_neither_jax_nor_sklearn():
    code = (
        "import sys, lrlab.data as d; d.load('digits'); d.load('diabetes'); d.options('digits');"
        "assert not {'jax', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("function", sorted(bundled._FILES))
def test_bundled_sets_are_what_scikit_learn_gives(function, monkeypatch):
    from sklearn import datasets

    options = {"scaled": False} if function == "load_diabetes" else {}
    x, y = getattr(datasets, function)(return_X_y=True, **options)
    read = bundled._load(function)
    monkeypatch.setitem(bundled._FILES, function, (("moved.csv",), 0))
    for got in (read, bundled._load(function)):  # from the file, and where it is elsewhere
        np.testing.assert_array_equal(got[0], x)
        np.testing.assert_array_equal(got[1], y)


def test_shapes_of_the_bundled_sets():
    sizes = {name: sum(len(y) for _, y in data.load(name).splits().values()) for name in LOCAL[:5]}
    assert sizes == dict(digits=1797, wine=178, breast_cancer=569, iris=150, diabetes=442)
    x = data.load("digits").train[0]
    assert x.shape[1:] == (64,) and x.min() == 0 and x.max() == 1
    assert data.load("digits", flat=False).train[0].shape[1:] == (8, 8)


@pytest.mark.slow
def test_mnist1d_is_that_of_the_package(monkeypatch):
    # The package imports requests for a download that nothing here uses.
    monkeypatch.setitem(sys.modules, "requests", types.ModuleType("requests"))
    package = pytest.importorskip("mnist1d.data")
    theirs = package.make_dataset(package.get_dataset_args())
    ours = data.load("mnist1d")
    assert np.array_equal(ours.train[0], theirs["x"])
    assert np.array_equal(ours.valid[1], theirs["y_test"])


def test_chebyshev_closed_form():
    x, y = data.load("chebyshev").train
    assert len(x) == 20 and np.allclose(y, 8 * x[:, 0] ** 4 - 8 * x[:, 0] ** 2 + 1)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("digit", {}, "did you mean 'digits'"),
        ("digits", {"flatt": True}, "did you mean 'flat'"),
        ("digits:x", {}, "nothing after a colon"),
        ("csv", {}, "needs a path"),
        ("csv:/nowhere.csv", {}, "no such file"),
        ("text:/nowhere.txt", {}, "no such file"),
        ("npz:/nowhere.npz", {}, "no such file"),
        ("idx:/nowhere-images-idx3-ubyte", {}, "no such file"),
        ("iris", {"valid_fraction": 1.0}, "valid_fraction"),
        ("iris", {"valid_fraction": 0.6, "test_fraction": 0.5}, "nothing to train on"),
        ("iris", {"scale": "unit"}, "scale must be"),
        ("iris", {"max_train": 0}, "max_train"),
        ("iris", {"split_seed": -1}, "split_seed"),
        ("stdlib", {"context": 0}, "context"),
        ({"path": "x"}, {}, "needs a name"),
    ],
)
def test_wrong_requests_are_named(spec, options, message):
    with pytest.raises(DataError, match=message):
        data.load(spec, **options)
