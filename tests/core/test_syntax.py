"""Syntax trees, asked for by several threads at once."""

from __future__ import annotations

import subprocess
import sys

MEETING = """
import gc, sys, threading
from lrlab.core import registry, syntax

texts, errors = [open(module.__file__).read() for module in (registry, syntax)], []

def read(depth):
    if depth:
        return read(depth - 1)
    for text in 40 * texts:
        try:
            syntax.parsed(text)
        except SystemError as error:
            errors.append(error)

sys.setswitchinterval(1e-6)
gc.callbacks.append(lambda *_: sum(range(50)))  # as JAX has one
gc.set_threshold(50)
threads = [threading.Thread(target=read, args=(depth,)) for depth in (3, 30)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not errors, errors[0]
"""


def test_threads_that_meet_read_one_after_another() -> None:
    """As two sweeps that begin at the same time, each in a thread, do."""
    subprocess.run([sys.executable, "-c", MEETING], check=True)
