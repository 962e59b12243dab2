"""Words as labels, and tables that are packed."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from lrlab import data
from lrlab.data import DataError
from lrlab.data.table import header_of

ROWS = ["1.5,2,cat", "2.5,3,dog", "0.5,1, cat", "4.5,1,bird"] * 5


def table(tmp_path: Path, rows: list[str] = ROWS, header: str = "a,b,kind\n") -> Path:
    path = tmp_path / "t.csv"
    path.write_text(header + "\n".join(rows) + "\n")
    return path


def test_words_are_classes_in_the_order_of_the_alphabet(tmp_path: Path) -> None:
    spec = {"name": "csv", "path": str(table(tmp_path)), "target": "kind", "valid_fraction": 0.0}
    made = data.load(spec)
    assert (made.kind, made.num_classes, made.num_outputs) == ("classification", 3, 3)
    assert made.source["origin"]["classes"] == ["bird", "cat", "dog"]
    assert sorted(made.train[1].tolist()) == [0] * 5 + [1] * 10 + [2] * 5
    x, y = np.asarray(made.train[0]), np.asarray(made.train[1])
    assert len({*x[y == 2, 0].tolist()}) == 1  # labels stay with their rows


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("NA", {}),
        ("", {}),
        ("?", {}),
        ("3", {}),
        ("cow", {"kind": "regression"}),
    ],
)
def test_what_is_no_column_of_classes_is_still_refused(cell, options, tmp_path: Path) -> None:
    path = table(tmp_path, [*ROWS, f"1,1,{cell}"])
    with pytest.raises(DataError, match=r"is not a (finite )?number"):
        data.load({"name": "csv", "path": str(path), "target": "kind", **options})


def test_words_among_the_inputs_are_still_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a number"):
        data.load({"name": "csv", "path": str(table(tmp_path)), "target": "a"})


def test_a_packed_table_is_the_table(tmp_path: Path) -> None:
    path = table(tmp_path)
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    one, other = (
        data.load({"name": "csv", "path": str(p), "target": "kind"}) for p in (path, packed)
    )
    np.testing.assert_array_equal(one.train[0], other.train[0])
    np.testing.assert_array_equal(one.train[1], other.train[1])
    assert header_of(path) == header_of(packed) == (["a", "b", "kind"], True)
    with pytest.raises(DataError, match="unpacks to more than the limit"):
        data.load({"name": "csv", "path": str(packed), "target": "kind", "max_bytes": 100})
    packed.write_bytes(packed.read_bytes()[:-12])
    with pytest.raises(DataError, match="damaged or cut off"):
        data.load({"name": "csv", "path": str(packed), "target": "kind"})


def test_the_header_of_a_long_table(tmp_path: Path) -> None:
    path = table(tmp_path, ROWS * 20_000)
    assert path.stat().st_size > 1 << 19
    assert header_of(path)[0] == ["a", "b", "kind"]
    assert header_of(table(tmp_path, ["1.5,2.5,0"] * 3, header="")) == (["0", "1", "2"], False)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["1,1,yes"] * 5, r"t.csv: column 'kind' \(number 2\): every target is 'yes'; .* to learn"),
        ([*ROWS, "1,1,", "1,1,"], r"column 'kind'.*'' is not .* no class \(one of 2 such rows\)"),
        (["1,1,ann", "1,2,ben", "1,3,eve"], "'ann' is a word of its own .* no classes; encode"),
        ([f"1,1,w{i}" for i in [*range(1001), 0]], "1,001 different words, and at most 1,000 are"),
    ],
)
def test_why_words_are_no_classes(rows, message, tmp_path: Path) -> None:
    path = table(tmp_path, rows)
    with pytest.raises(DataError, match=message):
        data.load({"name": "csv", "path": str(path), "target": "kind"})


def test_every_column_of_words_is_named_at_once(tmp_path: Path) -> None:
    path = table(tmp_path, ["Rome,anna,0", "Oslo,ben,1"], header="city,name,kind\n")
    expected = (
        r"'Rome' is not a number \(one of 4 such cells in 2 columns\).*"
        r"leave the columns out with ignore = \['city', 'name'\]"
    )
    with pytest.raises(DataError, match=expected):
        data.load({"name": "csv", "path": str(path), "target": "kind"})
