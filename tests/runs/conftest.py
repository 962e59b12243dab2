"""What tests of run folders share."""

from __future__ import annotations

import pytest

from lrlab.runs import recorder


@pytest.fixture
def every_segment(monkeypatch):
    """A commit at every segment's end."""
    monkeypatch.setattr(recorder, "INTERVAL", 0.0)
