"""The garbage collector of the command's process, in one of its own."""

from __future__ import annotations

import subprocess
import sys

from lrlab.cli.collection import COLLECTION

CODE = """
import atexit, gc
from lrlab.cli.collection import collected_seldom
atexit.register(lambda: print(gc.get_freeze_count() > 0, flush=True))
collected_seldom()
atexit.register(lambda: print(gc.get_freeze_count() > 0, flush=True))
print(gc.get_threshold()[0], flush=True)
"""


def test_it_looks_seldom_and_not_at_the_end() -> None:
    said = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert said.stdout.split() == [str(COLLECTION[0]), "False", "True"]
