"""The list of runs, and what of it is read again."""

from __future__ import annotations

import shutil

import pytest
from live_run import LiveRun

from lrlab.ui import catalog as module
from lrlab.ui.catalog import Catalog
from lrlab.ui.rows import row_of


@pytest.fixture
def prompt(monkeypatch):
    """Every call looks again, and asks the state of every running run."""
    for name in ("PAUSE", "SHARE", "RECHECK"):
        monkeypatch.setattr(module, name, 0.0)


def rows(changes):
    return {row["run"]: row for row in changes.rows}


def test_what_changed_comes_and_nothing_else(tmp_path, prompt, monkeypatch):
    done = LiveRun(tmp_path / "done")
    done.finish()
    written = LiveRun(tmp_path / "run")
    catalog = Catalog(tmp_path)
    first = catalog.changes()
    assert set(rows(first)) == {"done", "run"} and first.waiting == 0
    one = rows(first)["done"]
    assert (one["state"], one["lr"], one["interval"]) == ("finished", 0.1, [0.05, 0.2])
    assert (one["optimizer"], one["task"], one["verdict"]) == ("momentum", "bowl", "interior")
    assert len(one["spark"]) == 9 and one["best"] == 0.1
    assert rows(first)["run"]["state"] == "running"
    read = []
    monkeypatch.setattr(module, "row_of", lambda place: read.append(place.name) or row_of(place))
    written.advance(20)
    second = catalog.changes(first.serial)
    assert set(rows(second)) == {"run"} and rows(second)["run"]["done"] == pytest.approx(
        1 / 3, 1e-3
    )
    assert rows(second)["run"]["lr"] == 0.1 and "done" not in read
    third = catalog.changes(second.serial)
    assert third.rows == [] and third.gone == []
    assert set(rows(catalog.changes(third.serial + 1000))) == {"done", "run"}  # another server's
    written.run.close("interrupted")
    fourth = catalog.changes(third.serial)
    assert rows(fourth)["run"]["state"] == "interrupted"
    shutil.rmtree(tmp_path / "done")
    assert catalog.changes(fourth.serial).gone == ["done"]


def test_the_end_of_a_process_is_seen(tmp_path, prompt):
    """It changes no file."""
    written = LiveRun(tmp_path / "run")
    written.advance(20)
    catalog = Catalog(tmp_path)
    first = catalog.changes()
    (tmp_path / "run" / "lock.holder").unlink()
    (row,) = catalog.changes(first.serial).rows
    assert row["state"] == "stopped" and row["done"] == pytest.approx(1 / 3, 1e-3)
    written.run.lock.release()


def test_many_runs_come_piece_by_piece(tmp_path, monkeypatch):
    LiveRun(tmp_path / "run-0").finish()
    for number in range(1, 6):
        shutil.copytree(tmp_path / "run-0", tmp_path / f"run-{number}")
    monkeypatch.setattr(module, "BUDGET", 0.0)
    catalog = Catalog(tmp_path)
    seen = [catalog.changes()]
    while seen[-1].waiting:
        seen.append(catalog.changes(seen[-1].serial))
    assert [len(one.rows) for one in seen] == [1] * 6
    assert [one.waiting for one in seen] == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"status": 3, "started": []}'])
@pytest.mark.parametrize("file", ["run.json", "summary.json"])
def test_damage_is_a_row_too(tmp_path, file, damage):
    LiveRun(tmp_path / "run").finish()
    (tmp_path / "run" / file).write_text(damage)
    (row,) = Catalog(tmp_path).changes().rows
    assert row["run"] == "run" and row["state"] in ("damaged", "3", "finished")


def test_no_folder_is_no_run(tmp_path):
    assert Catalog(tmp_path / "nothing").changes().rows == []
