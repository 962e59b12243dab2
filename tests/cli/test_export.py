from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from numpy.testing import assert_allclose

import lrlab
from lrlab.cli.app import run
from lrlab.cli.export_formats import FORMATS

RUN = Path(__file__).parents[1] / "fixtures" / "format-2"


@pytest.mark.parametrize("per", ["lane", "step"])
def test_csv_and_parquet_hold_what_pandas_does(tmp_path, per) -> None:
    frame = lrlab.load(RUN).to_pandas(per=per)
    for format, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        target = tmp_path / format
        assert run(["export", str(RUN), "-f", format, "--per", per, "-o", str(target)]) == 0
        found = read(target)
        assert found.columns.tolist() == frame.columns.tolist() and len(found) == len(frame)
        for name in frame.select_dtypes("number"):
            assert_allclose(found[name], frame[name], rtol=1e-15, atol=0)


def test_json_is_one_object_with_null_for_no_number(tmp_path) -> None:
    assert run(["export", str(RUN), "-f", "json", "-o", str(tmp_path / "a.json")]) == 0
    content = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    result = lrlab.load(RUN)
    assert_allclose(content["train_loss"], result.history["train_loss"].tolist(), atol=0)
    assert content["answer"]["sentence"] and content["lr"] == result.lr.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-f", "npz", "--per", "step"], "which npz does not have"),
        (["--per", "seed"], "a row is for a lane or a step, not 'seed'"),
        (["-f", "parquet", "-o", "-"], "parquet needs a file"),
        (["--params", "x", "--per", "lane"], "use it without --format, --per and --out"),
    ],
)
def test_options_that_do_not_go_together(capsys, options, message) -> None:
    assert run(["export", str(RUN), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_place_that_cannot_be_written(capsys, tmp_path) -> None:
    assert run(["export", str(RUN), "-o", str(tmp_path / "absent" / "a.csv")]) == 3
    assert "cannot be written" in capsys.readouterr().err


def test_a_missing_package_is_named(capsys, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(["export", str(RUN), "-f", "parquet"]) == 2
    assert "needs the package pyarrow: pip install 'lrlab[pandas]'" in capsys.readouterr().err


def test_every_format_has_a_file_of_its_own() -> None:
    assert len({one.file for one in FORMATS.values()}) == len(FORMATS)
