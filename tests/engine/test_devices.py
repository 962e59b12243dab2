"""A device per core: asked for in time, shared later, refused in forked children."""

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


SHARED = """
import numpy as np
plan = dict(tile_width=2, segment_steps=3)
lanes = dict(task="digits-mlp", optimizer="adam", lr=[1e-3, 3e-3, 0.01, 0.03, 0.1], seeds=2,
             steps=7, eval_every=7, batch_size=16, progress=False)
for precision in ("float32", "float64"):
    one = lrlab.sweep(plan=lrlab.Plan(devices=1, **plan), precision=precision, **lanes)
    all = lrlab.sweep(plan=lrlab.Plan(devices=4, **plan), precision=precision, **lanes)
    for name in one.history:
        np.testing.assert_array_equal(one.history[name], all.history[name])
print(len(jax.devices()), all.plan.devices, all.plan.reasons[0])
"""


@pytest.mark.skipif(cores() < 2, reason="one core needs one device")
def test_after_jax_was_used_tiles_share_its_device():
    late = run("warnings.simplefilter('error')\n" + USED + SHARED)
    assert late.stdout.startswith("1 4 4 tiles at a time on 1 CPU device"), late.stderr


DIVERGING = """
lanes = dict(optimizer="sgd", lr=[1e-3, 1e30], seeds=2, steps=6, progress=False)
result = lrlab.sweep("digits-mlp", plan=lrlab.Plan(2, 2), **lanes)
print(result.outcome.tolist(), result.plan.reasons[0])
"""


def test_the_thread_of_a_share_has_the_settings_of_lrlab():
    """And not those that a user set for all threads."""
    late = run(
        "jax.config.update('jax_debug_nans', True)\n"
        "from lrlab.engine import devices, places\n"
        "share = places.Share(jax.devices()[0], 0)\n"
        "print(share.call(devices.setting, 'jax_debug_nans'))"
    )
    assert late.stdout.startswith("False"), late.stderr


@pytest.mark.slow
@pytest.mark.skipif(cores() < 2, reason="one core needs one device")
@pytest.mark.parametrize("setting", ["debug_nans", "debug_infs", "disable_jit"])
def test_what_a_user_set_for_all_threads_stops_no_tile_that_shares(setting):
    late = run(f"jax.config.update('jax_{setting}', True)\n" + USED + DIVERGING)
    assert late.stdout.startswith("[['ok', 'ok'], ['diverged', 'diverged']] 2 tiles"), late.stderr


@pytest.mark.skipif(cores() < 2, reason="one core needs one device")
def test_devices_that_share_a_lane_are_not_shared():
    late = run(USED + "sweep(plan=lrlab.Plan(devices=2, model_devices=2))")
    assert "plan.model_devices = 2, but there are 1 devices" in late.stderr


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
            (USED + "print(sweep().plan.devices)", {}, cores()),
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
def test_prepare_gives_the_devices_that_there_are():
    assert run(USED + "print(lrlab.prepare())").stdout == "1\n"


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
