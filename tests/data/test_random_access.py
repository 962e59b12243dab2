"""Sources by number: many at once only where that gives what one by one does."""

from __future__ import annotations

import numpy as np
import pytest
from sources import Columns, Numbered, arrays, mapped

from lrlab.data import DataError
from lrlab.data.random_access import as_collection, has_mapped, is_arrays, of_arrays, of_collection

ROWS = np.array([7, 0, 7, 119])


@pytest.mark.parametrize("source", [
    Numbered(), Columns(), list(zip(*arrays(), strict=True)),
], ids=["one by one", "by list", "list"])  # fmt: skip
def test_examples_are_gathered_by_number(source):
    x, y = of_collection(source, "train").gather(ROWS)
    np.testing.assert_array_equal(x, arrays()[0][ROWS])
    np.testing.assert_array_equal(y, arrays()[1][ROWS])


class Counted:
    """Counts how it is asked; `lists`: what `source[[...]]` gives."""

    def __init__(self, lists=None, items=None) -> None:
        self.asked, self.lists = [], lists
        if items is not None:
            self.__getitems__ = items

    def __len__(self) -> int:
        return 9

    def __getitem__(self, rows):
        self.asked.append(type(rows))
        if isinstance(rows, list):
            if self.lists is None:
                raise TypeError
            return self.lists(rows)
        return {"x": float(rows)}


def test_a_list_that_gives_something_else_is_not_believed():
    wrong, right = Counted(lambda rows: {"x": [0.0] * len(rows)}), Counted(lambda rows: {"x": [
        float(row) for row in rows
    ]})  # fmt: skip
    for source, kind in ((wrong, int), (right, list)):
        gather = of_collection(source, "train").gather
        source.asked.clear()
        np.testing.assert_array_equal(gather(np.array([4, 2]))["x"], [4.0, 2.0])
        assert set(source.asked) == {kind}


def test_items_of_pytorch_are_read_at_once():
    source = Counted(items=lambda rows: [{"x": float(row)} for row in rows])
    gather = of_collection(source, "train").gather
    source.asked.clear()
    np.testing.assert_array_equal(gather(np.array([4, 2]))["x"], [4.0, 2.0])
    assert source.asked == []


def test_arrays_are_read_where_they_lie_in_native_numbers(tmp_path):
    x = mapped(tmp_path, np.arange(12, dtype=">f8").reshape(6, 2), "x")
    numbered = of_arrays({"x": x, "flag": np.array([True] * 6)}, "train")
    batch = numbered.gather(np.array([5, 1]))
    np.testing.assert_array_equal(batch["x"], [[10, 11], [2, 3]])
    assert batch["x"].dtype == np.float64 and batch["x"].dtype.isnative
    assert batch["flag"].dtype == np.int8 and numbered.arrays is not None
    assert has_mapped({"x": x}) and has_mapped((x[2:],)) and not has_mapped((np.zeros(3),))


class Endless:
    def __len__(self) -> int:
        return 2**40

    def __getitem__(self, row: int) -> float:
        return float(row)


@pytest.mark.parametrize(("source", "message"), [
    ([], "is empty"),
    (Endless(), r"has 1,099,511,627,776 examples, and 2,147,483,647 can be counted"),
    (["a", "b"], "'b' is no number"),
])  # fmt: skip
def test_collections_that_cannot_be_read(source, message):
    with pytest.raises(DataError, match=message):
        of_collection(source, "train")


def test_arrays_of_no_length():
    with pytest.raises(DataError, match="is empty"):
        of_arrays((np.zeros((0, 3)),), "train")


def test_what_is_a_collection():
    assert is_arrays({"x": (np.zeros(2),)}) and not is_arrays([np.zeros(2)]) and not is_arrays({})
    assert as_collection("text") is None and as_collection({"a": 1}) is None
    assert as_collection(iter([])) is None and as_collection([1]) == [1]
