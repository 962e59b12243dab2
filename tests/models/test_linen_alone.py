"""A Linen model is trained without what NNX needs."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, lrlab
task = lrlab.tasks.load("wine-mlp")
lrlab.tasks.check(task, 16)
print([name for name in ("flax.nnx", "IPython", "matplotlib") if name in sys.modules])
"""


def test_flax_nnx_is_not_imported_for_a_linen_model():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
