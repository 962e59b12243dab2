"""Sources of other packages: a missing package, a missing network."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from lrlab import data
from lrlab.data import DataError


@pytest.mark.parametrize(
    ("spec", "module"), [("hf:x", "datasets"), ("tfds:x", "tensorflow_datasets")]
)
def test_extras_that_are_missing_are_named(spec, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"install 'lrlab\[{spec[:-2]}\]'"):
        data.load(spec)


def test_hub_data_and_no_network(monkeypatch):
    fake = types.ModuleType("datasets")

    class Part(dict):
        column_names = ("image", "label")

    part = Part(image=[np.full((2, 2), i, np.uint8) for i in range(8)], label=[0, 1] * 4)
    fake.__version__ = "0"
    fake.load_dataset = lambda name, subset: {"train": part, "validation": part}
    monkeypatch.setitem(sys.modules, "datasets", fake)
    loaded = data.load("hf:some/thing")
    assert loaded.shapes["valid"] == ((8, 2, 2), (8,)) and loaded.num_classes == 2

    def unreachable(name, subset):
        raise ConnectionError("no route")

    fake.load_dataset = unreachable
    with pytest.raises(DataError, match=r"cannot reach.*looked in.*offline sources: digits"):
        data.load("hf:some/thing")
