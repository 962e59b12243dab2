"""A run folder is opened once, with one lock, whatever continues or repeats the run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from few import few

import lrlab
from lrlab import api, runs
from lrlab.core.errors import Interrupted, RunError
from lrlab.runs import opening
from lrlab.training.progress import Control
from lrlab.workflows.replay import replay
from lrlab.workflows.reproduce import reproduce

CONFIG = """
steps = 20
batch_size = 16
seeds = 1
lr = [0.01, 0.1]
task.name = "wine-linear"
optimizer.name = "sgd"
schedule.name = "constant"
plan = {tile_width = 2, segment_steps = 5}
"""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file of a run folder is read, and folders are locked, by the workflows."""
    counts: Counter[str] = Counter()
    read, lock = Path.read_text, opening.Lock

    def counting(self: Path, *arguments, **options):
        counts[self.name] += 1
        return read(self, *arguments, **options)

    def locking(*arguments, **options):
        counts["lock"] += 1
        return lock(*arguments, **options)

    monkeypatch.setattr(Path, "read_text", counting)
    monkeypatch.setattr(opening, "Lock", locking)
    return counts


def experiment(folder: Path, *settings: str, command: str = "sweep") -> lrlab.config.Experiment:
    path = folder / "mine.toml"
    path.write_text(CONFIG)
    return lrlab.config.load(path, settings, command)


def interrupted(folder: Path, command: str = "sweep") -> Path:
    """An unfinished run, after its second segment."""
    segments = iter((False, False, True))
    control = Control(commit_every=0.0, stop=lambda: next(segments))
    with pytest.raises(Interrupted):
        api.run(command, experiment(folder, command=command), out=folder / "run", progress=False,
                control=control)  # fmt: skip
    return folder / "run"


@pytest.mark.parametrize("command", few(["sweep", "find"], 1))
def test_resume_reads_once_and_locks_once(command, tmp_path, counted) -> None:
    place = interrupted(tmp_path, command)
    counted.clear()
    api.resume(place, progress=False)
    assert (counted["run.json"], counted["lock"], counted["longer.json"]) == (1, 1, 0)
    assert runs.finished(runs.read_info(place))


def test_steps_are_raised_with_one_look_and_one_lock(tmp_path, counted) -> None:
    api.run("sweep", experiment(tmp_path), out=tmp_path / "run", progress=False)
    counted.clear()
    ran = api.resume(tmp_path / "run", overrides=("steps=30",), progress=False)
    assert (counted["run.json"], counted["lock"]) == (1, 1)
    assert len(ran.value.steps) == 30


def test_a_finished_run_is_read_without_a_lock(tmp_path, counted) -> None:
    one = experiment(tmp_path)
    api.run("sweep", one, out=tmp_path / "run", progress=False)
    counted.clear()
    ran = api.run("sweep", one, out=tmp_path / "run", progress=False)
    assert ran.read and counted["lock"] == 0 and counted["run.json"] <= 2


def test_a_run_is_replayed_and_reproduced_without_a_lock_on_it(tmp_path, counted) -> None:
    api.run("sweep", experiment(tmp_path), out=tmp_path / "run", progress=False)
    counted.clear()
    assert replay(tmp_path / "run", lr=0.1).same
    assert (counted["run.json"], counted["lock"]) == (1, 0)
    counted.clear()
    assert reproduce(tmp_path / "run", progress=False).level == "bit-identical"
    assert counted["lock"] == 0


def test_the_lock_is_given_back_where_nothing_is_begun(tmp_path) -> None:
    place = interrupted(tmp_path)
    with runs.opened(place) as folder:
        assert folder.is_run and not folder.finished and folder.tile_width == 2
        with pytest.raises(RunError, match="in use"), runs.opened(place):
            pass
    with runs.opened(place) as again:
        run = again.writer()
    with pytest.raises(RunError, match="in use"), runs.opened(place):
        pass  # the writer holds it
    run.close("interrupted")
    runs.refuse_in_use(place)


def test_a_folder_without_a_run_is_empty(tmp_path) -> None:
    with runs.opened(tmp_path / "new") as folder:
        assert not folder.is_run and folder.info == {} and folder.tile_width is None
