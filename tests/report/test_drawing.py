"""Figures of run folders: at once where they are asked for, else by a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import types
from pathlib import Path

import filelock
import pytest

import lrlab
from lrlab.cli.app import run
from lrlab.core.errors import ConfigError
from lrlab.report import drawing

SMALL = {
    "task": "wine-linear", "lr": [0.01, 0.1], "optimizer": "sgd", "steps": 20, "seeds": 2,
    "batch_size": 16, "schedule": "constant", "progress": False,
}  # fmt: skip
SECONDS = 300.0
"""A limit against hanging."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("drawing") / "run"
    lrlab.sweep(**SMALL, out=place)
    return place


@pytest.fixture
def copied(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "run"))


def endings(folder):
    return {path.suffix for path in (folder / "figures").glob("*")}


def test_formats_that_were_asked_for_are_there_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("lrlab.report.figures.FIGURES", few())
    lrlab.sweep(**SMALL, out=tmp_path / "a", figures=["svg"])
    assert endings(tmp_path / "a") == {".svg"} and drawing.formats_of(tmp_path / "a") == ("svg",)
    monkeypatch.setenv("LRLAB_FIGURES", "later")
    again = ["sweep", str(tmp_path / "a" / "config.toml"), "--quiet", "--out", str(tmp_path / "b")]
    monkeypatch.setattr(drawing, "subprocess", None)  # no process is needed
    assert run(again) == 0 and endings(tmp_path / "b") == {".svg"}
    assert run([*again[:-1], str(tmp_path / "c"), "--set", "figures=[]"]) == 0
    assert (tmp_path / "c" / "report.html").exists() and not endings(tmp_path / "c")


def few():
    from lrlab.report import figures

    return {"outcomes": figures.FIGURES["outcomes"]}


def test_python_draws_before_the_call_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("lrlab.report.figures.FIGURES", few())
    monkeypatch.setenv("LRLAB_FIGURES", "later")
    lrlab.sweep(**SMALL, out=tmp_path / "a")
    assert endings(tmp_path / "a") == {".png", ".svg"}


def test_what_is_drawn_in_no_format_is_not_built(copied, monkeypatch):
    def built(*given):
        raise AssertionError

    monkeypatch.setattr("lrlab.report.figures.FIGURES", {"outcomes": built})
    assert drawing.draw(copied) == [] and not (copied / "figures").exists()
    content = drawing.read_all([copied])
    monkeypatch.setattr(drawing, "read_all", built)
    assert drawing.draw(copied) == []
    assert drawing.write_figures(content.runs[0], copied / "figures", ()) == []
    monkeypatch.setenv("LRLAB_FIGURES", "now")
    with pytest.raises(AssertionError):
        drawing.draw(copied, content)


def test_another_choice_of_figures_is_the_same_experiment(copied, monkeypatch):
    again = lrlab.sweep(**SMALL, out=copied, figures=["pdf"])
    assert again.run == str(copied) and not endings(copied)  # it was read


@pytest.mark.parametrize("figures", [["bmp"], "png", [3]])
def test_a_wrong_format_is_refused(figures, tmp_path):
    with pytest.raises(ConfigError, match=r"figures"):
        lrlab.sweep(**SMALL, out=tmp_path / "a", figures=figures)
    assert not (tmp_path / "a").exists()


def test_figures_without_a_folder_are_refused():
    with pytest.raises(ConfigError, match=r"figures: are drawn into a run folder"):
        lrlab.sweep(**SMALL, figures=["png"])
    lrlab.sweep(**SMALL, figures=[])


def test_a_wrong_word_in_the_environment_is_said_first(tmp_path, monkeypatch):
    monkeypatch.setenv("LRLAB_FIGURES", "tomorrow")
    with pytest.raises(ValueError, match=r"LRLAB_FIGURES.*got 'tomorrow'"):
        lrlab.sweep(**SMALL, out=tmp_path / "a")
    config = tmp_path / "small.toml"
    config.write_text('steps = 5\nlr = [0.1]\ntask.name = "wine-linear"\n')
    assert run(["sweep", str(config), "--out", str(tmp_path / "a")]) == 2
    assert not (tmp_path / "a").exists()


def test_a_process_of_its_own_draws(copied, monkeypatch):
    monkeypatch.setenv("LRLAB_FIGURES", "later")
    started = []

    class Kept(subprocess.Popen):
        def __init__(self, *given, **named):
            super().__init__(*given, **named)
            started.append((self, named))

    monkeypatch.setattr(subprocess, "Popen", Kept)
    assert drawing.drawn_later(copied)
    ((process, named),) = started
    assert {named[stream] for stream in ("stdin", "stdout", "stderr")} == {subprocess.DEVNULL}
    if hasattr(os, "getsid"):
        assert os.getsid(process.pid) != os.getsid(0)
    assert process.wait(timeout=SECONDS) == 0
    written = list((copied / "figures").iterdir())
    assert {path.suffix for path in written} == {".png", ".svg"} and len(written) > 4
    assert all(path.stat().st_size > 1000 for path in written)


@pytest.mark.parametrize("why", ["asked", "first", "frozen", "none", "full"])
def test_no_process_is_started_where_it_would_be_of_no_use(why, copied, monkeypatch):
    monkeypatch.setenv("LRLAB_FIGURES", "none" if why == "none" else "later")
    if why == "asked":
        text = (copied / "config.toml").read_text()
        (copied / "config.toml").write_text(f'figures = ["png"]\n{text}')
    elif why == "first":
        monkeypatch.setattr(os, "getpid", lambda: 1)
    elif why == "frozen":
        monkeypatch.setattr(sys, "executable", "")

    def refused(*given, **named):
        assert why == "full"
        raise BlockingIOError

    own = types.SimpleNamespace(Popen=refused, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(drawing, "subprocess", own)
    assert not drawing.drawn_later(copied)


def test_an_error_is_written_where_figures_are_looked_for(copied, monkeypatch, capsys):
    monkeypatch.setattr(drawing.os, "nice", lambda steps: 0, raising=False)
    monkeypatch.setattr(drawing, "draw", lambda folder: {}["color"])
    drawing.main(copied)
    said = (copied / "figures" / drawing.FAILED).read_text()
    assert "lrlab report" in said and "KeyError: 'color'" in said
    assert run(["doctor", str(copied)]) == 0
    assert "could not be drawn" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.setattr(drawing.os, "nice", lambda steps: 0, raising=False)
    drawing.main(copied)
    assert not (copied / "figures" / drawing.FAILED).exists()


def test_what_was_removed_stays_removed(copied, monkeypatch):
    monkeypatch.setattr(drawing.os, "nice", lambda steps: 0, raising=False)

    def drawn(folder):
        shutil.rmtree(folder)
        (folder / "figures").mkdir(parents=True)

    monkeypatch.setattr(drawing, "draw", drawn)
    drawing.main(copied)
    assert not copied.exists()
    drawing.main(copied)
    assert not copied.exists()


def test_two_that_draw_one_figure_leave_it_whole(copied, monkeypatch):
    """A drawing that fails halfway leaves the file of before, and nothing beside it."""
    from matplotlib.figure import Figure

    from lrlab.report.figures.saving import saved

    (path,) = saved(Figure(), copied / "figures", "one", ["png"])
    before = path.read_bytes()

    def half(self, place, **named):
        Path(place).write_bytes(before[:10])
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(OSError, match=r"no space"):
        saved(Figure(), copied / "figures", "one", ["png"])
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


@pytest.mark.slow
def test_a_command_ends_before_its_figures_are_drawn(tmp_path):
    """Who reads the command's output to its end does not wait for the figures either."""
    config = tmp_path / "small.toml"
    config.write_text(
        'steps = 20\nseeds = 2\nlr = [0.01, 0.1]\nbatch_size = 16\n[task]\nname = "wine-linear"\n'
    )
    place = tmp_path / "run"
    command = [sys.executable, "-m", "lrlab", "sweep", str(config), "--out", str(place)]
    cache = tmp_path / "cache"
    own = {**os.environ, "LRLAB_FIGURES": "later", "LRLAB_CACHE": str(cache)}
    done = subprocess.run(command, env=own, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (place / "report.html").read_text().rstrip().endswith("</html>")
    assert "in the background" in done.stdout
    end = time.monotonic() + SECONDS
    while not endings(place) >= {".png", ".svg"}:
        assert time.monotonic() < end
        time.sleep(0.1)
    with filelock.FileLock(cache / "figures.lock", timeout=SECONDS):  # the process has ended
        assert len(list((place / "figures").iterdir())) > 4
