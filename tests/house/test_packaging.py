"""What `pyproject.toml` promises: lower bounds that are tried, extras that messages may name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from places import ROOT

import lrlab
from lrlab.core.extras import install

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCE = Path(lrlab.__file__).parent


def version(text: str) -> tuple[int, ...]:
    """A version's numbers without the zeros at its end: 0.10 is 0.10.0."""
    numbers = [int(part) for part in text.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    """`.ci/wheel oldest` trains with them."""
    bounds = dict(text.split(">=") for text in PROJECT["dependencies"])
    lines = (ROOT / "constraints-oldest.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert {name: version(text) for name, text in pins.items()} == {
        name: version(text) for name, text in bounds.items()
    }


def test_extras_are_named_by_the_command_that_installs_them() -> None:
    """One wording, and every extra is one of the project's."""
    named: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(SOURCE).as_posix()
        named |= {*re.findall(r"\binstall\(['\"](\w+)['\"]\)", text)}
        if where != "core/extras.py":
            assert not re.search(r"(pip )?install ['\"]?lrlab\[", text), where
    assert named >= {"xarray", "safetensors", "cuda13", "bench"}
    assert named <= {*PROJECT["optional-dependencies"]}
    assert install("hf") == "pip install 'lrlab[hf]'"
