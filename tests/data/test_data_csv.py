"""Tables and configurations as people write them: read, or refused with column and option."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lrlab import config, data, tasks
from lrlab.data import DataError


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return f"csv:{path}"


ROWS = "".join(f"{i / 8},{i * i / 4},{i % 2}\n" for i in range(12))


@pytest.mark.parametrize("sign", [";", "\t", "|", " ", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_of_any_delimiter_line_end_and_byte_order_mark(sign, end, encoding, tmp_path):
    text = sign.join(('"a b"', '"c"' if sign == "," else '"c,d"', '"y"')) + "\n"
    text += ROWS.replace(",", sign)
    spec = written(tmp_path / "a.csv", text.replace("\n", end), encoding)
    loaded = data.load(spec, valid_fraction=0, scale="none")
    np.testing.assert_array_equal(loaded.train[0][:, 0], np.arange(12) / 8)
    np.testing.assert_array_equal(loaded.train[1], np.arange(12) % 2)


def test_a_quoted_header_with_semicolons(tmp_path):
    spec = written(tmp_path / "wine.csv", '"fixed acidity";"pH";"quality"\n7.4;3.5;0\n7.8;3.2;1\n')
    loaded = data.load(spec, valid_fraction=0, scale="none")
    assert loaded.train[0].tolist() == [[7.4, 3.5], [7.8, 3.2]]
    assert loaded.source["origin"]["target"] == "quality"


CSV = {
    "0,1,2": ("0,1,2\n" + ROWS, {}, "first row, 0,1,2, may be the names .*header = true or header"),
    "1,2,3": ("1,2,3\n" + ROWS, {}, "first row, 1,2,3, may be"),
    "years": ("2001,2002,2003\n" + ROWS, {}, "first row, 2001,2002,2003, may be"),
    "columns": ("4,7,2\n" + ROWS, {"header": None}, "first row, 4,7,2, may be"),
    "named twice": ("y,x,y\n" + ROWS, {"target": "y"}, "columns 0 and 2 .*both named 'y'"),
    "last twice": ("y,x,y\n" + ROWS, {}, "columns 0 and 2 .*both named 'y'"),
    "index": (",a,b,y\n0,1,2,0\n1,2,5,1\n", {}, r"column number 0 has no name.*ignore = \[0\]"),
    "again": ("Unnamed: 0,a,y\n0,1,0\n1,2,1\n", {}, "column number 0 has no name"),
    "index 0": (",0,1,2\n0,1,2,0\n1,2,5,1\n", {}, "column number 0 has no name"),
    "label first": (
        "label,p0,p1\n0,1,2\n1,2,3\n",
        {},
        "named 'label'; say target = 'label'",
    ),
    "strings": ("a,city,y\n1,Rome,0\n2,Oslo,1\n", {}, r"'Rome' is not a number \(one of 2 such"),
    "dates": ("day,a,y\n2024-01-01,1,0\n", {}, r"'2024-01-01'.*leave the column out with ignore"),
    "thousands": ('a,y\n"1,234",0\n', {}, "'1,234' is not a number"),
    "comma": ("a;y\n1,5;0\n", {}, "'1,5' is not a number; .* say decimal = \",\""),
    "decimal": ("a;y\n1,5;0\n", {"decimal": "p"}, "decimal must be '.' or ','"),
    "decimals": ("a,y\n1,0\n", {"decimal": ","}, "another one than the delimiter"),
    "species": ("a,y\n1,setosa\n2,other\n", {}, "'setosa'.*encode the target's words as labels"),
    "missing": ("a,b,y\n1,,0\n,2,1\n3,NA,1\n", {}, r"a.csv:2: column 'b'.*one of 3 such cells"),
    "only commas": ("a,b,y\n1,2,0\n,,\n", {}, "a.csv:3: .*'' is not a number"),
    "first row": ("400.5,401.5,label\n1,2,0\n", {}, "'label' is not.*say header = true"),
    "one class": ("a,y\n1,0\n2,0\n", {}, "every target is 0"),
    "ignored": ("a,y\n1,0\n2,1\n", {"ignore": ["b"]}, "ignore names 'b', and it has a, y"),
    "number": ("a,b,y\n1,1,0\n", {"ignore": [5]}, "ignore names column 5, of 3"),
    "target": ("a,b,y\n1,1,0\n", {"ignore": ["y"], "target": "y"}, "no column 'y' for the target"),
    "folder": (None, {}, "is a folder, not a file"),
    "latin": ("température,y\n1,0\n".encode("latin-1"), {}, "not UTF-8 text .byte 4.*as UTF-8"),
    "delimiter": ("a,y\n1,0\n", {"delimiter": ";"}, "has one column.*delimiter"),
}


@pytest.mark.parametrize("case", CSV)
def test_csv_columns_are_used_or_refused_by_name(case, tmp_path):
    text, options, message = CSV[case]
    path = tmp_path / "a.csv"
    path.mkdir() if text is None else path.write_bytes(
        text if isinstance(text, bytes) else text.encode()
    )
    with pytest.raises(DataError, match=message):
        data.load(f"csv:{path}", **options)


def test_a_decimal_comma_and_the_line_that_excel_reads_first(tmp_path):
    rows = "".join(f"{i / 8};{i * i / 4};{i % 2}\n".replace(".", ",") for i in range(12))
    for header in ("", "a;b;y\n"):
        spec = written(tmp_path / "a.csv", "sep=;\n" + header + rows)
        loaded = data.load(spec, decimal=",", valid_fraction=0, scale="none")
        np.testing.assert_array_equal(loaded.train[0][:, 0], np.arange(12) / 8)
        np.testing.assert_array_equal(loaded.train[1], np.arange(12) % 2)
    spec = written(tmp_path / "a.csv", '"sep=|"\r\na|y\r\n1|0\r\nx|1\r\n')
    with pytest.raises(DataError, match=r"a.csv:4: column 'a'.*'x'"):
        data.load(spec)


def test_a_header_of_numbers_is_read_as_what_is_said(tmp_path):
    spec = written(tmp_path / "a.csv", "0,1,2\n" + ROWS)
    sizes = [len(data.load(spec, header=said, valid_fraction=0).train[1]) for said in (True, False)]
    assert sizes == [12, 13]


def test_a_csv_that_pandas_wrote(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(12) / 8, "b": [True, False] * 6, "y": [0, 1] * 6})
    frame.to_csv(tmp_path / "a.csv")
    loaded = data.load(f"csv:{tmp_path}/a.csv", ignore=[0], valid_fraction=0, scale="none")
    np.testing.assert_array_equal(loaded.train[0], np.c_[np.arange(12) / 8, [1, 0] * 6])
    frame.assign(name="word").to_csv(tmp_path / "b.csv", index=False)
    options = dict(ignore=["na*"], target="y", valid_fraction=0, scale="none")
    again = data.load({"name": "csv", "path": f"{tmp_path}/b.csv"}, **options)
    np.testing.assert_array_equal(again.train[0], loaded.train[0])


# Configurations

TOML = 'steps = 5\n[task]\nmodel.name = "linear"\ndata = {name = "csv", path = "my data.csv"}\n'


def test_toml_with_a_byte_order_mark(tmp_path):
    (tmp_path / "my data.csv").write_text("a,b,y\n" + ROWS)
    for encoding, end in (("utf-8-sig", "\n"), ("utf-8-sig", "\r\n"), ("utf-8", "\r\n")):
        (tmp_path / "a.toml").write_bytes(TOML.replace("\n", end).encode(encoding))
        assert config.load(tmp_path / "a.toml").steps == 5
    for encoding in ("utf-16", "utf-16-be"):
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        (tmp_path / "a.toml").write_bytes(mark + TOML.encode(encoding))
        with pytest.raises(config.ConfigError, match=r"a.toml:1: .*UTF-16.*save the file as UTF-8"):
            config.load(tmp_path / "a.toml")


def test_data_paths_are_relative_to_the_file_and_know_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "my data.csv").write_text("a,b,y\n" + ROWS)
    file = tmp_path / "a.toml"
    for path in ("my data.csv", "~/my data.csv", str(tmp_path / "my data.csv")):
        file.write_text(TOML.replace("my data.csv", path))
        spec = config.load(file).task
        assert Path(spec.data.path) == tmp_path / "my data.csv"
        assert len(data.load(f"csv:{path}", root=tmp_path).train[1]) == 10
    file.write_text('task = "csv:my data.csv-linear"\n')
    assert tasks.load(config.load(file).task.name).num_examples == 10
    file.write_text(
        TOML.replace('name = "csv", path = "my data.csv"', 'name = "digits"')
        + '[compare.a]\nlr_range = [1e-3, 1.0]\ntask.data = "csv:my data.csv"\n'
        + "[compare.b]\nlr_range = [1e-3, 1.0]\n"
    )
    entries = config.load(file, command="compare")._entries
    assert entries["a"].task.data.path == str(tmp_path / "my data.csv")
    file.write_text(
        '[task]\nmodel.name = "linear"\ndata = {name = "idx", path = "i", labels = "l"}'
    )
    for name in ("i", "l"):
        (tmp_path / name).write_bytes(b"")
    assert config.load(file).task.data.model_extra["labels"] == str(tmp_path / "l")


MISTAKES = {
    "ragged": ("a,b,y\n1,2,0\n1,0\n", r"t.csv:3: 2 cells where the table has 3"),
    "words": ("a,b,y\n1,2,0\n1,x,0\n", r"t.csv:3: column 'b' \(number 1\): 'x' is not a number"),
    "missing": ("a,b,y\n1,2,0\n1,,0\n", r"t.csv:3: column 'b'.*'' is not a number"),
    "nan": ("a,b,y\n1,2,0\nnan,2,0\n", r"t.csv:3: column 'a'.*not a finite number"),
    "inf": ("a,b,y\n1,-inf,0\n", r"t.csv:2: column 'b'.*not a finite number"),
    "empty": ("", "is empty"),
    "header only": ("a,b,y\n", "no rows"),
    "one column": ("y\n1\n2\n", "one column"),
    "negative": ("a,y\n1,0\n1,-1\n", "label -1 at row 1"),
    "many classes": ("a,y\n1,0\n1,70\n", 'kind = "regression"'),
    "bad first row": ("1,2,x,0\n1,2,3,1\n", "t.csv:1: column '2'.*'x' is not a number"),
    "quote": ('a,y\n"1,0\n', "not a CSV file"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_csv_mistakes_are_named(case, tmp_path):
    text, message = MISTAKES[case]
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        data.load(f"csv:{tmp_path / 't.csv'}")


def test_csv_targets(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y,b\n" + "".join(f"{i},{i % 3},{i / 2}\n" for i in range(12)))
    assert data.load(f"csv:{path}", target="y").num_classes == 3
    assert data.load(f"csv:{path}", target=1, kind="regression").num_outputs == 1
    assert data.load(f"csv:{path}").kind == "regression"
    with pytest.raises(DataError, match=r"label 2 at row 2.*0 to 1"):
        data.load(f"csv:{path}", target="y", num_classes=2)
    with pytest.raises(DataError, match=r"no column 'z'.*a, y, b"):
        data.load(f"csv:{path}", target="z")
    path.write_bytes(b"a,y\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="not UTF-8"):
        data.load(f"csv:{path}")
