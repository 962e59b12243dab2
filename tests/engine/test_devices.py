"""A device per core: asked for in time, said where it was too late, refused in forked children."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from few import few

from lrlab.engine.devices import cores

SWEEP = """
def sweep(**options):
    return lrlab.sweep("quadratic", optimizer="sgd", lr=[0.1], seeds=1, steps=3, progress=False,
                       **options)
"""
USED = "jnp.zeros(3) + 1\n"  # the first JAX operation, as in loading a checkpoint


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    start = "import jax, jax.numpy as jnp, warnings, os, sys, lrlab\n" + SWEEP
    return subprocess.run(
        [sys.executable, "-c", start + script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.skipif(cores() < 2, reason="one core needs one device")
def test_lost_cores_are_said_once_with_the_mend():
    late = run(USED + "for _ in range(2): print(sweep().plan.devices)")
    assert late.stdout.split() == ["1", "1"], late.stderr
    assert late.stderr.count("lrlab trains on 1 of") == 1
    assert "lrlab.prepare()" in late.stderr
    assert f"JAX_NUM_CPU_DEVICES={cores()}" in late.stderr


@pytest.mark.skipif(cores() < 2, reason="one core needs one device")
@pytest.mark.parametrize(
    ("script", "environment", "devices"),
    few(
        [
            (
                "lrlab.prepare(); lrlab.prepare()\n" + USED + "print(sweep().plan.devices)",
                {},
                cores(),
            ),
            (USED + "print(sweep().plan.devices)", {"JAX_NUM_CPU_DEVICES": str(cores())}, cores()),
            (USED + "print(sweep(plan=lrlab.Plan(devices=1)).plan.devices)", {}, 1),
            (USED + "print(sweep().plan.devices)", {"JAX_NUM_CPU_DEVICES": "1"}, 1),
            ("print(sweep().plan.devices)", {}, cores()),
        ],
        1,
    ),
)
def test_no_false_alarm(script, environment, devices):
    done = run("warnings.simplefilter('error', UserWarning)\n" + script, **environment)
    assert done.stdout.split() == [str(devices)], done.stderr


@pytest.mark.skipif(cores() < 2, reason="one core needs one device")
def test_prepare_says_that_it_is_too_late():
    done = run(USED + "print(lrlab.prepare())")
    assert done.stdout == "1\n" and "lrlab trains on 1 of" in done.stderr


def test_prepare_refuses_what_is_no_number_of_devices():
    import lrlab

    with pytest.raises(ValueError, match="at least 1"):
        lrlab.prepare(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("used", few([USED, "lrlab.prepare()\n" + USED, ""], 1))
def test_forked_children_train_or_say_why_not(used):
    script = """
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    try:
        print("trained", sweep().plan.devices, flush=True)
    except ValueError as error:
        print("refused:", error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    done = run(used + script)
    if used:
        assert "refused:" in done.stdout and "forked after JAX was used" in done.stdout
    else:
        assert done.stdout == f"trained {cores()}\n", done.stderr
