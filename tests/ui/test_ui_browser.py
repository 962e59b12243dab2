"""The local page in a real browser (Debian's chromium), served by the command: it renders, grows
while a run trains, is driven by the keyboard, and asks nobody else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from chromium import HERE, browser
from live_run import LiveRun

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(HERE is None, reason="needs Debian's chromium"),
]

HOSTILE = "<img src=x onerror='window.hacked = 1'></script>"

LISTENS = "document.body && document.body.dataset.listening === 'yes'"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    LiveRun(root / "done", name=HOSTILE).finish()
    LiveRun(root / "other", "find").finish()
    return root


@pytest.fixture(scope="module")
def address(root):
    """Where the command says that the page is."""
    command = [sys.executable, "-m", "lrlab", "ui", str(root), "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield json.loads(server.stdout.readline())["address"]
    server.terminate()
    server.communicate(timeout=600)


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def sound(tab, address):
    """No script error, nothing refused by the policy, no request elsewhere, nothing too wide."""
    assert tab.complaints() == []
    away = [url for url in tab.requests() if not url.startswith((address, "data:"))]
    assert away == [] and tab.run("window.hacked || 0") == 0
    assert tab.run("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("page", ["", "report?run=done", "report?run=done&run=other"])
def test_every_page_in_every_dress(tab, address, page, dark, width):
    tab.size(width, 900, dark)
    tab.go(address + page)
    tab.wait(LISTENS)
    sound(tab, address)
    paper = tab.run("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(16, 20, 24)" if dark else "rgb(255, 255, 255)")
    tree = tab.tree()
    named = ("button", "link", "checkbox", "combobox", "searchbox", "image", "progressbar")
    assert [role for role, name in tree if role in named and not name] == []
    if page:
        assert tab.run("charts.length") >= 3
    else:
        assert {("checkbox", "Choose done"), ("link", "other")} <= set(tree)
        assert tab.run("document.querySelectorAll('polyline').length") >= 2


def test_a_run_grows_while_it_is_shown(tab, address, root):
    written = LiveRun(root / "live")
    tab.size(1280, 900)
    tab.go(address + "report?run=live")
    tab.wait(LISTENS)
    assert "nothing to draw yet" in tab.run("document.querySelector('h1').textContent")
    written.advance(20)
    tab.wait("typeof charts === 'object' && charts.length > 1")
    tab.wait(LISTENS)
    assert tab.run("document.querySelector('h1').textContent").startswith("Training, 33 % done")
    assert tab.run("document.getElementById('progress').getAttribute('aria-valuenow')") == "33"
    tab.run("charts[0].base.focus(); pages[0].isolate([4]); charts[0].base.id = 'same'")
    length = "pages[0].data.curves.train_loss.lanes[4][0].length"
    assert tab.run(length) == 20
    written.advance(28)
    tab.wait(f"{length} === 28")
    # In place: the same canvas, its focus, and what was chosen.
    assert tab.run("document.activeElement.id") == "same"
    assert tab.run("pages[0].chosen.length") == 1
    written.advance(45)  # a lane diverges: there are figures that were not there
    tab.wait("charts.some((c) => c.spec.title === 'How far each lane was trained')")
    assert tab.run("pages[0].chosen.length") == 1
    written.finish()
    tab.wait("document.getElementById('state').textContent === 'finished'")
    assert tab.run("document.querySelector('h1').textContent") == "Train with learning rate 0.1."
    assert tab.run("document.getElementById('progress').hidden")
    sound(tab, address)


def test_the_list_by_the_keyboard(tab, address, root):
    tab.size(1280, 900)
    tab.go(address)
    tab.wait(LISTENS)
    names = "[...document.querySelectorAll('td.who a')].map((a) => a.textContent).join()"
    tab.key("/")
    tab.write("FIND momentum")
    tab.wait(f"{names} === 'other'")
    tab.run("document.getElementById('filter').value = ''")
    tab.write(" ")
    tab.wait("document.querySelectorAll('td.who a').length >= 2")
    tab.run("document.querySelector('th[data-key=run] button').focus()")
    tab.key("Enter")
    tab.wait("document.querySelector('th[data-key=run]').getAttribute('aria-sort') === 'ascending'")
    assert tab.run(names).startswith("done,")
    tab.run("document.querySelectorAll('input[type=checkbox]')[0].focus()")
    tab.key(" ")
    tab.run("document.querySelector('[aria-label=\"Choose other\"]').focus()")
    tab.key(" ")
    tab.wait("!document.getElementById('compare').hidden")
    tab.run("document.getElementById('compare').click()")
    tab.wait("location.search === '?run=done&run=other' && document.getElementById('comparison')")
    sound(tab, address)


def test_a_run_that_appears_is_listed(tab, address, root):
    tab.go(address)
    tab.wait(LISTENS)
    written = LiveRun(root / "new")
    written.advance(20)
    tab.wait("[...document.querySelectorAll('tr.running .state')].some((n) => n.textContent"
             " === 'running 33 %')")  # fmt: skip
    written.run.close("interrupted")
    tab.wait("document.querySelector('tr.interrupted')")
    sound(tab, address)


RAMP = '\n[range_test]\nkind = "ramp"\nsplit = "train"\nstart = 1e-3\nend = 1.0\nnum_steps = 60\n'


def test_a_range_test_grows_in_place(tab, address, root):
    written = LiveRun(root / "ramp", "range-test", rates=np.array([1.0]), more=RAMP)
    written.advance(20)
    tab.size(1280, 900)
    tab.go(address + "report?run=ramp")
    tab.wait(LISTENS)
    titles = "charts.map((c) => c.spec.title).join()"
    assert "train_loss against learning rate" in tab.run(titles)
    assert "Where each rule would train" not in tab.run(titles)  # no rule says anything yet
    tab.run("charts[0].base.focus(); charts[0].base.id = 'same'")
    written.advance(40)
    tab.wait("pages[0].data.test.loss[0].filter((v) => v != null).length === 40")
    assert tab.run("document.activeElement.id") == "same"
    assert "The ramp is at learning rate" in tab.run("document.querySelector('h1').textContent")
    written.run.close("interrupted")
    tab.wait("document.getElementById('state').textContent === 'interrupted'")
    sound(tab, address)


def test_the_count_is_of_the_runs_that_are_listed(tab, address, root):
    whole = LiveRun(root / "both", "compare")
    part = LiveRun(root / "both" / "sgd", "find")
    part.advance(20)
    tab.go(address)
    tab.wait(LISTENS)
    tab.go(address + "#q=both")  # no new page: the address alone has changed
    tab.wait("document.getElementById('count').textContent === '2 runs, 2 running'")
    tab.go(address)
    tab.wait(LISTENS)
    tab.wait("[...document.querySelectorAll('td.who a')].some((a) => a.textContent === 'both')")
    assert ", 1 running" in tab.run("document.getElementById('count').textContent")
    part.run.close("interrupted")
    whole.run.close("interrupted")
    shutil.rmtree(root / "both")  # other tests count the runs, too
    tab.wait("[...document.querySelectorAll('td.who a')].every((a) => a.textContent !== 'both')")
