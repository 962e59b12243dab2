"""Ctrl-C: the first stops after the segment, the second ends the process even where it hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from lrlab.training.interrupting import interruptible

SCRIPT = """
import ctypes, os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background inherit another
{before}
from lrlab.training.interrupting import interruptible

def press(count):
    for _ in range(count):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)

with interruptible() as stop:
    threading.Thread(target=press, args=({count},), daemon=True).start()
    {wait}
    print("stopped" if stop() else "not asked", flush=True)
"""

HANG = """
    mutex = ctypes.create_string_buffer(64)  # as a device program that never answers
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
"""
POLL = """
    while not stop():
        time.sleep(0.01)
"""
PYTHON = """
    try:
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt:
        print("raised", flush=True)
"""


def run(count: int, wait: str, before: str = "") -> subprocess.CompletedProcess[str]:
    script = SCRIPT.format(count=count, wait=wait, before=before)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )


def test_the_first_asks_and_the_second_raises():
    asked = run(1, POLL)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout == "stopped\n" and "Stopping after this segment" in asked.stderr
    raised = run(2, PYTHON)
    assert raised.stdout.splitlines()[0] == "raised", raised.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a mutex of glibc")
def test_the_second_ends_a_process_that_hangs_and_the_third_an_interactive_one():
    assert run(2, HANG).returncode == 130
    third = run(3, HANG, "sys.ps1 = '> '")
    assert third.returncode == 130
    assert "Ctrl-C again to end the process" in third.stderr


@pytest.mark.parametrize("error", [None, KeyError])
def test_handlers_are_as_before(error):
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        mine = signal.getsignal(signal.SIGINT)
        try:
            with interruptible() as stop:
                assert signal.getsignal(signal.SIGINT) is not mine and not stop()
                if error is not None:
                    raise error
        except KeyError:
            assert error is KeyError
        assert signal.getsignal(signal.SIGINT) is mine
        wakes = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakes)
        assert wakes == -1
        os.kill(os.getpid(), signal.SIGINT)
        assert heard == [signal.SIGINT]
        assert not any(thread.name == "lrlab-interrupt" for thread in threading.enumerate())
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_and_ignored_signals_are_left_alone():
    answers = []

    def elsewhere():
        with interruptible() as stop:
            answers.append(stop())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as stop:
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            answers.append(stop())
    finally:
        signal.signal(signal.SIGINT, before)
    assert answers == [False, False]
