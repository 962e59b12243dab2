"""Registries: what an entry takes and says is read from source, without importing it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from lrlab.core import registry
from lrlab.core.errors import FieldError
from lrlab.core.registry import Parameter, Registry


class Entry(NamedTuple):
    make: str
    parameters: Mapping[str, object] | None = None
    defaults: Mapping[str, object] = {}
    docstring: str | None = None


SOURCE = '''
import explosive

LARGE = 1 << 3

def first(step, steps=4, *, rate: float = -0.5, places: Sequence[float] = (), wide):
    """A factor (Smith et al. 2017), e.g. one. Ends at zero.

    More.
    """

class Second:
    """A class."""
'''


@pytest.fixture
def methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[str | Entry]:
    """A registry over a module that cannot be imported, and one that can."""
    (tmp_path / "explosive_methods.py").write_text(SOURCE)
    loaded = SOURCE.replace("import explosive", "from typing import *")
    (tmp_path / "harmless_methods.py").write_text(
        loaded.replace("rate: float = -0.5", "rate=LARGE")
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    entries: dict[str, str | Entry] = {
        "first": "explosive_methods:first",
        "second": "explosive_methods:Second",
        "computed": "harmless_methods:first",
        "given": Entry("explosive_methods:nothing", {"b1": 0.9}, {}, "Given.  Twice."),
        "changed": Entry("explosive_methods:first", defaults={"rate": 2.0, "warmup": 1}),
    }
    return Registry(
        "method", entries, 2, {"warmup": 0, "rate": 7.0}, "setting",
        {"premier": ("first", {"rate": 0.25})},
        {"erster": ("first",)}, {"ramp": ("warmup",)},
    )  # fmt: skip


def test_parameters_come_from_the_source_text(methods: Registry[str | Entry]) -> None:
    assert registry.parameters(methods, "first") == {
        "rate": Parameter(-0.5, False),
        "places": Parameter((), True),
        "wide": Parameter(None, False, True),
        "warmup": Parameter(0, False),
    }
    assert registry.signature(methods, "first")["steps"] == Parameter(4, False)
    assert registry.signature(methods, "first")["step"].required


def test_a_default_that_is_no_literal_is_read_by_importing(methods: Registry[str | Entry]) -> None:
    assert registry.parameters(methods, "computed")["rate"] == Parameter(8, False)
    assert registry.parameters(methods, "computed")["places"].sequence


def test_an_entry_may_state_its_own_parameters(methods: Registry[str | Entry]) -> None:
    assert list(registry.parameters(methods, "given")) == ["b1", "warmup", "rate"]
    assert registry.docstring(methods, "given") == "Given.  Twice."
    changed = registry.parameters(methods, "changed")
    assert (changed["rate"].default, changed["warmup"].default) == (2.0, 1)


def test_another_name_may_have_another_default(methods: Registry[str | Entry]) -> None:
    assert registry.registered(methods, "premier") == "first"
    assert registry.parameters(methods, "premier")["rate"].default == 0.25
    assert registry.has(methods, "premier") and not registry.has(methods, "dernier")


def test_summaries(methods: Registry[str | Entry]) -> None:
    assert registry.summary(methods, "first") == "A factor (Smith et al. 2017), e.g. one."
    assert registry.summary(methods, "second") == "A class."


def test_unknown_names_and_options(methods: Registry[str | Entry]) -> None:
    for name, hint in {
        "frist": "; did you mean 'first'?",
        "premer": "; did you mean 'premier'?",
        "erster": "; did you mean 'first'? erster is written first here.",
        "q": ".",
    }.items():
        with pytest.raises(FieldError) as caught:
            registry.load(methods, name)
        assert str(caught.value).startswith(f"there is no method {name!r}{hint} Known: first, ")
        assert caught.value.path == ("name",)
    error = registry.unknown_option(methods, "first", "ramp")
    assert error.path == ("ramp",)
    assert str(error) == (
        "method 'first' has no setting 'ramp'; did you mean 'warmup'? ramp is written warmup here. "
        "It has: rate, places, wide, warmup"
    )


def test_a_function_is_loaded(methods: Registry[str | Entry]) -> None:
    assert registry.load(methods, "computed").__name__ == "first"


def test_reading_registries_imports_no_jax() -> None:
    code = (
        "import sys; from lrlab.cli.ls import KINDS, registry_of; from lrlab.core import registry\n"
        "for one in map(registry_of, KINDS[1:]):\n"
        "    for name in one.entries:\n"
        "        registry.summary(one, name); registry.parameters(one, name)\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
