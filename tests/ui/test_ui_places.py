"""Which folders the local page may show."""

from __future__ import annotations

import os

import pytest
from live_run import LiveRun

from lrlab.core.errors import RunError
from lrlab.ui.places import parts_of, places, run_folder


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "runs"
    for name in ("one", "project/two"):
        LiveRun(root / name).run.close("interrupted")
    LiveRun(root / "both", "compare").run.close("interrupted")
    LiveRun(root / "both" / "sgd").run.close("interrupted")
    LiveRun(root / "wide", "study").run.close("interrupted")
    LiveRun(root / "wide" / "groups" / "width-8").run.close("interrupted")
    LiveRun(tmp_path / "outside").run.close("interrupted")
    return root


def test_runs_are_found_in_folders_and_in_what_is_made_of_them(root):
    found = {place.name: place.parent for place in places(root)}
    assert found == {
        "one": "", "project/two": "", "both": "", "both/sgd": "both", "wide": "",
        "wide/groups/width-8": "wide",
    }  # fmt: skip
    assert parts_of(root, root / "both") == ["both/sgd"]
    assert parts_of(root, root / "wide") == ["wide/groups/width-8"]
    assert parts_of(root, root / "one") == []


@pytest.mark.parametrize("name", ["one", "project/two", "wide/groups/width-8"])
def test_a_run_is_given(root, name):
    assert run_folder(root, name) == root / name


@pytest.mark.parametrize("name", [
    "", ".", "..", "../outside", "one/../../outside", "/etc", "//one", "one/", "one//", "./one",
    "nothing", "project", "one/history.zarr", "one\0", "..\\outside", "C:one", "~", ".hidden",
    "one/.", "x" * 5000,
])  # fmt: skip
def test_what_leads_elsewhere_is_refused(root, name):
    with pytest.raises(RunError, match="is no run here"):
        run_folder(root, name)


def test_links_are_not_followed(root, tmp_path):
    os.symlink(tmp_path / "outside", root / "link")
    os.symlink(tmp_path, root / "up")
    for name in ("link", "up/outside"):
        with pytest.raises(RunError, match="is no run here"):
            run_folder(root, name)
    assert not {"link", "up/outside"} & {place.name for place in places(root)}
    secret = tmp_path / "secret"
    secret.write_text("secret = 1")
    (root / "one" / "config.toml").unlink()
    os.symlink(secret, root / "one" / "config.toml")
    with pytest.raises(RunError, match=r"symbolic link \(config.toml\)"):
        run_folder(root, "one")
