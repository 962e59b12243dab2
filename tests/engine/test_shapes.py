"""Shapes and dtypes that the engine's functions name, checked at every call of a run.

In a process of its own: what checks them draws from Python's common random numbers, and has to be
there before the engine is imported.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from places import TESTS

SCRIPT = """
import sys
import numpy as np
from jaxtyping import TypeCheckError, install_import_hook

sys.path.insert(0, sys.argv[1])
with install_import_hook("lrlab.engine", "beartype.beartype"):
    import tiny
    from lrlab.engine.layout import tile_lanes
    from lrlab.engine.program_digest import program_digest
    from lrlab.engine.tuning import explained

problem, lanes = tiny.problem("mlp", "momentum", steps=12), tiny.grid((1e-3, 1e-2, 1e30))
program_digest(problem, tiny.data(), ("lr",))
explained(problem, tiny.data(), lanes, tiny.Plan(2, 1))
for width in (1, 2):
    record = tiny.run(problem, lanes, width, segment_steps=5, rungs=(6,),
                      decide=lambda rung, record: record.axes["lr"] < 5e-3)
    print(*record.outcome_names)
try:
    tile_lanes(np.zeros((2, 3), int), np.zeros(2, int), 1)
except TypeCheckError:
    print("refused")
"""


@pytest.mark.slow
def test_a_run_keeps_to_the_shapes_that_are_named():
    pytest.importorskip("beartype")
    command = [sys.executable, "-c", SCRIPT, str(TESTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
    outcomes = " ".join(["ok", "ok", "pruned", "pruned", "diverged", "diverged"])
    assert done.stdout.splitlines() == [outcomes, outcomes, "refused"]
