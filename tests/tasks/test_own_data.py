"""The data of tasks with functions of one's own."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.data.dataset import DataError
from lrlab.tasks.own_data import described, directions_of, splits_of

X = np.arange(12.0).reshape(6, 2)


@pytest.mark.parametrize(
    "data", [X, (X, X[:, 0]), {"a": X, "b": (X, X)}, X.tolist(), {"mask": X > 2}]
)
def test_any_pytree_of_arrays_is_taken(data):
    splits = splits_of("mine", {"train": data, "valid": data, "test": None})
    assert set(splits) == {"train", "valid"}


def test_masks_stay_bool_and_arrays_are_the_task_s_own():
    data = {"mask": X > 2, "x": X.copy()}
    held = splits_of("mine", {"train": data, "valid": None})["train"]
    data["x"][:] = 0
    assert held["mask"].dtype == bool and held["x"].max() == 11


def test_none_is_no_data():
    assert splits_of("mine", {"train": None, "valid": None}) == {}


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({"train": None, "valid": X}, "valid without train"),
        ({"train": {"x": X, "y": X[:2]}}, "one length.*x has 6, y has 2"),
        ({"train": {"x": X}, "valid": {"y": X}}, "parts"),
        ({"train": {"x": X}, "valid": {"x": X[:, :1]}}, "shapes"),
        ({"train": {"x": np.array(["a", "b"])}}, "train x: needs numbers"),
        ({"train": {"x": np.full((3, 2), np.nan)}}, "nan"),
        ({"train": {}}, "empty"),
        (
            {"train": {"x": X}.values()},
            r"got dict_values; give a data set or a loader as lrlab\.data",
        ),
    ],
)
def test_what_is_wrong_is_named(splits, words):
    with pytest.raises(DataError, match=words):
        splits_of("mine", splits)


def test_the_record_has_digests_and_shapes():
    record = described({"train": {"x": X}})
    assert record["shapes"] == {"train": [[6, 2]]} and len(record["sha256"]["train"]) == 64


@pytest.mark.parametrize("metrics", [{"a": "most"}, ["a"], {3: "min"}, "a"])
def test_directions_are_min_or_max(metrics):
    with pytest.raises(ValueError, match='"min" or "max"'):
        directions_of("mine", metrics)
