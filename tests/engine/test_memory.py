"""Freed memory stays with the process within a call, and goes back when the call ends."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="speaks to glibc")

PRELUDE = """
import ctypes, json, resource
from lrlab.engine.memory import keep_freed_memory, memory_scope
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def used(size, count=1):
    places = [libc.malloc(size) for _ in range(count)]
    for place in places: libc.memset(place, 1, size)
    for place in places: libc.free(place)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    used(50_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() >> 20
"""


def outcome(program: str) -> dict:
    done = subprocess.run([sys.executable, "-c", PRELUDE + program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("tuned", [False, True])
def test_a_freed_block_is_used_again_until_the_call_ends(tuned, monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if tuned:
        monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    found = outcome("""
outside = keep_freed_memory()
with memory_scope():
    with memory_scope():
        kept = keep_freed_memory()
        used(50_000_000)
    within = faults()
faults()
print(json.dumps([outside, kept, within, faults()]))
""")
    outside, kept, within, after = found
    if not tuned and not kept:
        pytest.skip("not glibc")
    assert not outside and kept == (not tuned)
    assert (within < 1000) == (not tuned) and after > 1000


def test_memory_goes_back_however_the_call_ends():
    """300 MB in blocks that glibc would keep, with one in use at their end."""
    before, within, after, again = outcome("""
@memory_scope()
def call():
    keep_freed_memory()
    used(3_000_000, 100)
    held.append(libc.malloc(1000))
    counted.append(resident())
    raise KeyError

held, counted = [], [resident()]
for _ in range(2):
    try:
        call()
    except KeyError:
        counted.append(resident())
print(json.dumps([counted[0], counted[1], counted[2], counted[-1]]))
""")
    assert within > before + 250
    assert after < before + 50 and again < before + 50


@pytest.mark.slow
def test_a_sweep_gives_back_what_it_used():
    """A step that needs 400 MB at once; the programs and results that stay are small."""
    within, after = outcome("""
import jax.numpy as jnp, lrlab
def loss(params, key):
    return jnp.sin(params["w"][:, None] * jnp.arange(25_000.0)).cumsum(1).mean()
task = lrlab.Task.objective(name="wide", init=lambda key: {"w": jnp.ones(1000)}, loss=loss)
plan = lrlab.Plan(devices=1, tile_width=1)
lrlab.sweep(task, lr=[0.1], optimizer="sgd", steps=2, seeds=1, eval_every=2, plan=plan,
            schedule="constant", progress=False)
print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, resident()]))
""")
    assert within > 400 and after < within - 200


@pytest.mark.slow
def test_free_gives_back_what_programs_and_kept_values_take():
    """Twenty-four programs, whose traces and machine code are some megabytes each."""
    before, with_programs, after, again = outcome("""
import jax, jax.numpy as jnp, lrlab
from lrlab.core import memo

@memo.remembered(4)
def rows(seed):
    return jnp.ones(2_000_000) * seed

def swept(name, add):
    task = lrlab.Task.objective(
        name=name, init=lambda key: {"w": jnp.ones(3)},
        loss=lambda params, key: jnp.sin(params["w"] + add).sum(),
    )
    return task, lrlab.sweep(task, lr=[0.1], optimizer="adam", steps=2, seeds=1, progress=False)

swept("first", 0.0)
rows(0)
before = lrlab.free()
held = [swept(f"n{number}", number)[0] for number in range(24)]
for seed in range(4): rows(seed)
with_programs = resident() << 20
after = lrlab.free()
assert rows.cache_info().currsize == 0
_, result = swept("again", 1.0)
task = held[1]
same = lrlab.sweep(task, lr=[0.1], optimizer="adam", steps=2, seeds=1, progress=False)
print(json.dumps([before, with_programs, after,
                  float(same.final["valid_loss"][0, 0] - result.final["valid_loss"][0, 0])]))
""")
    assert with_programs > before + (30 << 20) and after < before + (with_programs - before) // 2
    assert abs(again) < 1e-7  # a task that was used before trains as a new one


@pytest.mark.slow
def test_a_sweep_keeps_no_cast_of_its_data():
    """125 MB of float32 made of float64; the task keeps what it was given."""
    before, after = outcome("""
import numpy as np, lrlab
lrlab.sweep("wine-linear", lr=[0.1], steps=5, seeds=1, batch_size=16, progress=False)
x, y = np.ones((40_000, 784)), np.arange(40_000) % 10
model = lrlab.models.make("mlp", num_outputs=10, width=[8])
task = lrlab.Task.supervised(name="long", model=model, loss="softmax_cross_entropy",
                             train=(x, y), valid=(x[:100], y[:100]))
before = resident()
lrlab.sweep(task, lr=[0.01], optimizer="sgd", steps=2, seeds=1, batch_size=64, eval_every=2,
            progress=False)
print(json.dumps([before, resident()]))
""")
    assert after < before + 100
