"""Freed memory stays with the process: a program's buffers are not faulted in again at every call.

XLA's CPU programs take their buffers from `malloc` at each call. glibc gives large ones back to the
kernel when they are freed, and the kernel hands out zeroed pages one fault at a time: for 100 MB
some 24,000 faults, 20 to 80 ms, as long as several steps of a convolutional network.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys

# Numbers of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4

KEPT_BYTES = 2**31 - 1
"""Freed memory at the top of the heap beyond this still goes back to the kernel."""


@functools.cache
def keep_freed_memory() -> bool:
    """Tells glibc's malloc to reuse large freed blocks; whether it did. Once per process.

    Does nothing elsewhere, and nothing where the user tuned malloc (`MALLOC_...` or
    `GLIBC_TUNABLES` in the environment).
    """
    tuned = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if tuned or not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
