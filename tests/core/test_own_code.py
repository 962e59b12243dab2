"""Someone's own functions: imported from a folder, checked, called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lrlab.core.errors import FieldError
from lrlab.core.own_code import called, check_options, inside, is_loaded, loaded


def module(folder: Path, text: str, name: str = "own_test") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    return folder


def refused(place: str, folder: Path, **options: object) -> FieldError:
    with pytest.raises(FieldError) as error:
        called(place, loaded(place, folder), options, folder, "a number")
    return error.value


def test_a_function_is_called_with_its_options(tmp_path: Path) -> None:
    module(tmp_path, "class A:\n    @staticmethod\n    def f(a, *, b=2, n=0): return a, b, n\n")
    function = loaded("own_test:A.f", tmp_path)
    assert called("own_test:A.f", function, {"a": 1}, tmp_path, "it") == (1, 2, 0)
    filled = {"n": 5, "unknown": 6}
    assert called("own_test:A.f", function, {"a": 1}, tmp_path, "it", filled) == (1, 2, 5)
    assert called("own_test:A.f", function, {"a": 1, "n": 7}, tmp_path, "it", filled)[2] == 7  # type: ignore[index]


def test_imports_leave_no_trace(tmp_path: Path) -> None:
    before, writes = list(sys.path), sys.dont_write_bytecode
    loaded("own_test:f", module(tmp_path, "f = int\n"))
    assert sys.path == before and sys.dont_write_bytecode is writes
    assert [path.name for path in tmp_path.iterdir()] == ["own_test.py"]


def test_what_functions_import_later_is_there(tmp_path: Path) -> None:
    module(tmp_path, "value = 4\n", "own_test_late")
    module(tmp_path, "def f():\n    def g():\n        import own_test_late\n"
                     "        return own_test_late.value\n    return g\n")  # fmt: skip
    later = called("own_test:f", loaded("own_test:f", tmp_path), {}, tmp_path, "it")
    assert later() == 4  # type: ignore[operator]


def test_of_two_folders_each_has_its_own(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        module(folder, f"name = {folder.name!r}\n", "own_test_helper")
        module(folder, "import own_test_helper\ndef f(): return own_test_helper.name\n")
    functions = [loaded("own_test:f", folder) for folder in (one, other, one)]
    assert [function() for function in functions] == ["one", "other", "one"]  # type: ignore[operator]
    assert functions[0] is functions[2]


def test_another_module_of_that_name_comes_back(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(module(tmp_path / "away", "f = 'away'\n", "own_test_both")))
    away = importlib.import_module("own_test_both")
    assert loaded("own_test_both:f", module(tmp_path / "here", "f = 1\n", "own_test_both")) == 1
    assert sys.modules["own_test_both"] is away and away.f == "away"


def test_a_changed_text_is_imported_again(tmp_path: Path) -> None:
    assert not is_loaded("own_test:x", module(tmp_path, "x = 1\n"))
    assert loaded("own_test:x", tmp_path) == 1 and is_loaded("own_test:x", tmp_path)
    module(tmp_path, "x = 2\n")
    assert not is_loaded("own_test:x", tmp_path)
    assert loaded("own_test:x", tmp_path) == 2


def test_the_folder_is_first_only_inside(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="left"), inside(tmp_path):  # noqa: PT012
        assert sys.path[0] == str(tmp_path)
        raise RuntimeError("left")
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize(
    ("place", "text", "field", "words"),
    [
        ("own_tset:f", "f = int", "python", "did you mean 'own_test'?"),
        ("own_test:fun", "def func(): ...", "python", "has no 'fun'; did you mean 'func'?"),
        ("own_test:f", "f = 3", "python", "own_test:f is of type int"),
        ("own_test:f", "import own_test_none", "python", "No module named 'own_test_none' at"),
        ("own_test:f", "def f(:", "python", "SyntaxError"),
        ("own_test:f", "raise SystemExit(3)", "python", "SystemExit: 3 at"),
        ("own_test:f", "def f(): return {}['k']", "python", "own_test:f fails: KeyError: 'k' at"),
        ("own_test:f", "def f(a, b): ...", "options", "own_test:f needs a, b"),
    ],
)
def test_what_is_wrong_is_said(place, text, field, words, tmp_path: Path) -> None:
    error = refused(place, module(tmp_path, text + "\n"))
    assert error.field == field and words in str(error)


def test_the_line_of_ones_own_file_is_named(tmp_path: Path) -> None:
    module(tmp_path, "import json\n\ndef f():\n    return json.loads('{')\n")
    assert f"{tmp_path / 'own_test.py'}:4" in str(refused("own_test:f", tmp_path))


def test_unknown_options(tmp_path: Path) -> None:
    module(tmp_path, "def f(width=1): ...\ndef g(**rest): ...\ndef h(): ...\n")
    error = refused("own_test:f", tmp_path, widht=3)
    assert error.path == ("options", "widht") and "did you mean 'width'? It takes: width" in str(
        error
    )
    assert "It takes: no options" in str(refused("own_test:h", tmp_path, a=1))
    check_options("g", loaded("own_test:g", tmp_path), {"anything": 1})
    check_options("print", print, {"sep": ""})


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    error = refused("own_test_gone:f", tmp_path / "gone")
    assert "is not there any more" in str(error) and "PYTHONPATH=" in str(error)


def test_a_module_of_another_folder_is_not_taken_for_one_that_is_gone(
    tmp_path: Path, monkeypatch
) -> None:
    other = module(tmp_path / "other", "def f(): return 'other'\n", "own_test_gone")
    monkeypatch.syspath_prepend(str(other))
    importlib.import_module("own_test_gone")
    monkeypatch.undo()
    gone, moved = (
        tmp_path / "gone",
        module(tmp_path / "moved", "def f(): return 'moved'\n", "own_test_gone"),
    )
    assert "is not there any more" in str(refused("own_test_gone:f", gone))
    monkeypatch.syspath_prepend(str(moved))
    assert not is_loaded("own_test_gone:f", gone)
    assert called("own_test_gone:f", loaded("own_test_gone:f", gone), {}, gone, "it") == "moved"
    assert is_loaded("own_test_gone:f", gone)
    assert sys.modules.pop("own_test_gone").f() == "other"


def test_a_module_without_a_file(tmp_path: Path, monkeypatch) -> None:
    made = ModuleType("own_test_made")
    made.f = lambda: 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_test_made", made)
    assert loaded("own_test_made:f", tmp_path) is made.f


def test_our_own_refusals_are_not_called_exceptions(tmp_path: Path) -> None:
    module(tmp_path, "from lrlab.core.errors import FieldError\n"
                     "def f(): raise FieldError('a', 'b is wrong')\n")  # fmt: skip
    assert "own_test:f fails: b is wrong at" in str(refused("own_test:f", tmp_path))
