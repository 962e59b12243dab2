"""A way's process that does not answer, or ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lrlab.bench import measure


def called(code: str) -> object:
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        return measure.Worker(process).call()


def test_a_call_without_an_answer_is_ended(monkeypatch) -> None:
    monkeypatch.setattr(measure, "LIMIT_SECONDS", 0.2)
    with pytest.raises(TimeoutError):
        called("import time; time.sleep(6000)")


def test_an_answer_is_read_and_an_end_is_none() -> None:
    assert called("input(); print('{\"seconds\": 1}', flush=True)") == {"seconds": 1}
    assert called("input()") is None
