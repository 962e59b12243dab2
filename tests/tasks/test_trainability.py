"""The trainability grid against the published picture (Sohl-Dickstein 2024, arXiv 2402.06184)."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from places import TESTS


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, TESTS.parent / "experiments" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_decisions_agree_with_the_published_picture():
    reference = json.loads((TESTS / "reference" / "fractal_notebook_64.json").read_text())
    rates = np.logspace(-3, 6, 512)[reference["index"]]
    # The picture's rows are the output layer's rate, its columns the input layer's.
    ours = script("fractal").image(rates, rates).T < 0
    theirs = np.array([[cell == "1" for cell in row] for row in reference["rows"]])
    assert (ours == theirs).mean() >= 0.99


def test_a_picture_goes_on_where_it_stopped(tmp_path, monkeypatch):
    fractal = script("fractal")
    monkeypatch.setattr(fractal, "BAND", 8 * 3)
    whole = fractal.draw(8, (-1.0, 2.0, -1.0, 2.0), tmp_path / "whole.npz")
    calls, image = [], fractal.image

    def counted(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return image(*args)

    monkeypatch.setattr(fractal, "image", counted)
    with pytest.raises(KeyboardInterrupt):
        fractal.draw(8, (-1.0, 2.0, -1.0, 2.0), tmp_path / "part.npz")
    again = fractal.draw(8, (-1.0, 2.0, -1.0, 2.0), tmp_path / "part.npz")
    assert np.array_equal(again, whole) and len(calls) == 4
