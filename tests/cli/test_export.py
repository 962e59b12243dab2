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


@pytest.mark.parametrize("format", [name for name in FORMATS])
def test_the_file_has_the_name_that_was_given(tmp_path, format) -> None:
    target = tmp_path / "numbers"
    assert run(["export", str(RUN), "-f", format, "-o", str(target)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["numbers"]


def test_a_missing_package_is_named(capsys, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(["export", str(RUN), "-f", "parquet"]) == 2
    assert "needs the package pyarrow: pip install 'lrlab[pandas]'" in capsys.readouterr().err


def test_every_format_has_a_file_of_its_own() -> None:
    assert len({one.file for one in FORMATS.values()}) == len(FORMATS)


COMPARED = {
    "metric": "valid_loss", "sentence": "adam wins", "seconds": 1.0, "winner": "adam",
    "entries": [
        {"name": name, "lr": lr, "interval": [lr / 2, lr * 2], "verdict": "interior", "mean": lr,
         "probability_best": 0.5, "sensitivity": 0.1, "cost": 9.0, "run": name}
        for name, lr in (("adam", 0.1), ("sgd", 1.0))
    ],
    "versus": {"sgd": {"difference": -0.9, "interval": [-1.0, -0.8], "p_value": 0.01}},
}  # fmt: skip

STUDIED = {
    "metric": "valid_loss", "sentence": "yes", "axis": "width", "cost": 2.0,
    "groups": [
        {"value": width, "parametrization": "mup", "lr": 0.1, "interval": None, "verdict": "edge",
         "best_mean": 0.2, "rates": [0.1, 1.0], "means": [0.2, None], "initial": 2.0, "cost": 1.0,
         "run": str(width)}
        for width in (16, 32)
    ],
}  # fmt: skip


@pytest.fixture
def made(tmp_path):
    """A comparison and a study, as their folders hold them."""
    for command, content in (("compare", COMPARED), ("study", STUDIED)):
        (tmp_path / command).mkdir()
        info = {"format": 2, "command": command, "status": "finished"}
        (tmp_path / command / "run.json").write_text(json.dumps(info))
        (tmp_path / command / "summary.json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_comparison_and_a_study_are_tables(made, format) -> None:
    def found(name: str, *options: str) -> pd.DataFrame:
        target = str(made / f"out.{format}")
        assert run(["export", str(made / name), "-f", format, "-o", target, *options]) == 0
        return (pd.read_csv if format == "csv" else pd.read_parquet)(target)

    settings = found("compare")
    assert settings.setting.tolist() == ["adam", "sgd"] and settings.lr.tolist() == [0.1, 1.0]
    assert_allclose(settings.difference_high.iloc[1], -0.8, atol=1e-12)
    assert found("study").width.tolist() == [16, 32]
    rates = found("study", "--per", "rate")
    assert (
        rates.lr.tolist() == [0.1, 1.0] * 2 and rates["mean"].isna().tolist() == [False, True] * 2
    )


def test_a_comparison_as_json_is_what_it_came_to(made) -> None:
    assert run(["export", str(made / "compare"), "-f", "json"]) == 0
    assert json.loads((made / "compare" / "export.json").read_text())["winner"] == "adam"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("compare", ["-f", "npz"], "npz is for the arrays of one run: `lrlab export RUN/NAME`"),
        ("study", ["-f", "curves"], "RUN/groups/NAME`; what the study came to is a table"),
        ("compare", ["--per", "lane"], "a row of a comparison is for a setting, not 'lane'"),
        ("study", ["--per", "step"], "a row of a study is for a group or a rate, not 'step'"),
    ],
)
def test_what_a_comparison_has_not(made, capsys, name, options, message) -> None:
    assert run(["export", str(made / name), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_comparison_that_is_not_finished(made, capsys) -> None:
    (made / "compare" / "summary.json").unlink()
    assert run(["export", str(made / "compare")]) == 2
    assert "not finished; " in capsys.readouterr().err
