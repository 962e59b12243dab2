"""Freed memory stays with the process while training runs, and goes back when the call ends.

XLA's CPU programs take their buffers from `malloc` at each call. glibc gives large ones back to the
kernel when they are freed, and the kernel hands out zeroed pages one fault at a time: for 100 MB
some 24,000 faults, 20 to 80 ms, as long as several steps of a convolutional network.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterator

from lrlab.core import memo
from lrlab.types import Device

# Numbers of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4

KEPT_BYTES = 2**31 - 1
"""Freed memory at the top of the heap beyond this still goes back to the kernel."""

COLLECTED_BYTES = 100_000_000
"""A call that ends with so much more memory than it began with has Python's collector look for what
is held in circles (traces hold arrays so). That takes 0.1 s, more than a small sweep's end should.
"""

GLIBC_LIMITS = {M_MMAP_MAX: 65_536, M_MMAP_THRESHOLD: 32 << 20, M_TRIM_THRESHOLD: 64 << 20}
"""What glibc comes to by itself: its thresholds follow the largest block that was freed, up to
these. (`mallopt` ends that adaptation for good, so that its end is what can be restored.)"""


class Allocator:
    """glibc's malloc as this process has it; a class because it counts who needs its memory."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._scopes = 0
        self._keeping = False
        self._before = 0

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Around one call: what `keep` keeps goes back at the end of the outermost one."""
        with self._guard:
            if self._scopes == 0:
                self._before = resident()
            self._scopes += 1
        try:
            yield
        finally:
            with self._guard:
                self._scopes -= 1
                if self._scopes == 0 and self._keeping:
                    self._keeping = False
                    self._give_back()

    def keep(self) -> bool:
        """Reuses large freed blocks until the outermost scope ends; whether it does.

        Does nothing outside a scope and with another C library, and nothing where the user tuned
        malloc (`MALLOC_...` or `GLIBC_TUNABLES` in the environment).
        """
        tuned = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
        libc = None if tuned else _glibc()
        if libc is None:
            return False
        with self._guard:
            if self._scopes and not self._keeping:
                limits = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: KEPT_BYTES}
                self._keeping = all([libc.mallopt(*limit) for limit in limits.items()])
            return self._keeping

    def _give_back(self) -> None:
        libc = _glibc()
        if libc is not None:
            for limit in GLIBC_LIMITS.items():
                libc.mallopt(*limit)
            libc.malloc_trim(0)
            if resident() - self._before > COLLECTED_BYTES:
                gc.collect()
                libc.malloc_trim(0)


def free() -> int:
    """Gives back what lrlab and JAX keep for the next call: compiled programs, traces, orders of
    batches and generated data; the memory of the process that is then left.

    For a notebook or a long script between two kinds of work. Sweeps give back what they used by
    themselves; what stays is some megabytes per program. Results, tasks and their data are yours:
    let go of them first (`del result`). Nothing else is lost: programs are taken from the cache
    folder again, and your own jitted functions compile again at their next call. Not for the middle
    of a sweep in another thread.

    Returns:
        Bytes of memory that the process has afterwards; 0 where the system does not say (it does on
        Linux).

    >>> import lrlab
    >>> lrlab.free() >= 0
    True
    """
    memo.forget()
    if (jax := sys.modules.get("jax")) is not None:
        jax.clear_caches()
    gc.collect()
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)
    return resident()


def resident() -> int:
    """Bytes of memory that this process has now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _glibc() -> ctypes.CDLL | None:
    """The C library with `mallopt` and `malloc_trim`; None where it is another."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
    except OSError:
        return None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


_ALLOCATOR = Allocator()

memory_scope = _ALLOCATOR.scope
"""`with memory_scope():`, or `@memory_scope()` on a function: the call whose end gives memory back.
Scopes may be nested and in several threads; the last one to end counts."""

keep_freed_memory = _ALLOCATOR.keep


def host_memory() -> int:
    """The machine's memory in bytes; where the system does not say, 2^46 (64 TiB)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 1 << 46


def device_memory(device: Device) -> int | None:
    """The memory of an accelerator in bytes; None for a CPU, whose cache decides, and for a device
    that does not say."""
    if device.platform == "cpu":
        return None
    stats = device.memory_stats() or {}
    return int(stats["bytes_limit"]) if "bytes_limit" in stats else None
