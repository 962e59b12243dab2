"""Where someone's modules lie, and of what text they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lrlab.core.own_sources import nearby, sources, wrong_place


def written(folder: Path, **files: str) -> Path:
    """Files by name, "0" for a slash."""
    for name, text in files.items():
        path = folder / f"{name.replace('0', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_module_and_what_it_imports_from_the_folder(tmp_path: Path) -> None:
    texts = {
        "top": "import json, numpy\nimport pack.inner\ndef f():\n    import late\n",
        "pack0inner": "from . import near\nfrom .near import x\n",
        "pack0near": "x = 1\n",
        "late": "",
        "other": "never = True\n",
    }
    text = sources("top", written(tmp_path, **texts))
    assert text.there and text.file == tmp_path / "top.py" and text.root == tmp_path
    assert next(iter(text.files)) == "top.py"
    assert dict(text.files) == {
        f"{name.replace('0', '/')}.py": sha(texts[name]) for name in texts if name != "other"
    }


def test_the_same_text_elsewhere_has_the_same_files(tmp_path: Path) -> None:
    texts = {"pack0a": "from pack import b\n", "pack0b": "y = 2\n"}
    one, other = (written(tmp_path / name, **texts) for name in ("one", "other"))
    assert sources("pack.a", one).files == sources("pack.a", other).files
    written(other, pack0b="y = 3\n")
    assert sources("pack.a", one).files != sources("pack.a", other).files


def test_a_package_counts_with_its_init(tmp_path: Path) -> None:
    written(tmp_path, pack0__init__="", pack0a="")
    assert set(sources("pack.a", tmp_path).files) == {"pack/__init__.py", "pack/a.py"}


def test_the_environment_comes_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = written(
        tmp_path / "away", lrlab_test_away="import lrlab_test_near\n", lrlab_test_near=""
    )
    monkeypatch.syspath_prepend(str(away))
    text = sources("lrlab_test_away", tmp_path)
    assert text.root == away
    assert set(text.files) == {"lrlab_test_away.py", "lrlab_test_near.py"}
    written(tmp_path, lrlab_test_away="z = 1\n")
    assert sources("lrlab_test_away", tmp_path).root == tmp_path


def test_of_an_installed_package_the_module_alone(tmp_path: Path) -> None:
    text = sources("optax.contrib", tmp_path)
    assert list(text.files) == ["optax/contrib/__init__.py"]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    written(tmp_path, broken="def f(:\n")
    assert list(sources("broken", tmp_path).files) == ["broken.py"]
    assert not sources("lrlab_test_absent.a", tmp_path).there
    assert sources("sys", tmp_path)[:2] == (True, None)


def test_nearby(tmp_path: Path) -> None:
    written(tmp_path, a="", b0c="")
    (tmp_path / "no-name").mkdir()
    assert nearby(tmp_path) == ["a", "b"] and nearby(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("pack/tasks.py:make", "pack.tasks:make"),
        ("pack.make", "pack:make"),
        ("pack:", ""),
        ("pack:make()", ""),
        (3, ""),
        ("", ""),
    ],
)
def test_wrong_places(text: object, hint: str) -> None:
    message = wrong_place(text)
    assert message.startswith("must be 'module:function'")
    assert ("did you mean" in message) == bool(hint) and hint in message
    assert wrong_place("a.b:c.d") == ""


def test_packages_without_init_inside_each_other(tmp_path: Path) -> None:
    written(tmp_path, own_deep0own_er0a="from own_deep.own_er import b\n", own_deep0own_er0b="")
    files = sources("own_deep.own_er.a", tmp_path).files
    assert set(files) == {"own_deep/own_er/a.py", "own_deep/own_er/b.py"}
