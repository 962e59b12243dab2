"""`experiments/benchmarks/stages.py`: what it times is there."""

from __future__ import annotations

import functools
import importlib
import sys

import pytest
from places import ROOT


@pytest.fixture
def stages(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "benchmarks"))
    before = set(sys.modules)
    yield importlib.import_module("stages").STAGES
    for name in {"stages", "prompt"} - before:
        sys.modules.pop(name, None)


def test_each_stage_is_a_function_of_lrlab(stages) -> None:
    for places in stages.values():
        for place in places:
            module, _, name = place.partition(":")
            owner = importlib.import_module(module)
            assert callable(functools.reduce(getattr, name.split("."), owner)), place
