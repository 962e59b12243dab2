"""Freed memory stays with the process, unless the user tuned malloc."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import ctypes, resource
from lrlab.engine.memory import keep_freed_memory
kept = keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes, libc.memset.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    place = libc.malloc(50_000_000); libc.memset(place, 1, 50_000_000); libc.free(place)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(kept, faults())
"""  # noqa: E501


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="speaks to glibc")
@pytest.mark.parametrize("tuned", [False, True])
def test_a_freed_block_is_used_again(tuned, monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if tuned:
        monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True)
    kept, faults = done.stdout.split()
    if not tuned and kept == "False":
        pytest.skip("not glibc")
    assert kept == str(not tuned), done.stderr
    assert (int(faults) < 1000) == (not tuned)
