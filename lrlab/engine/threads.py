"""The threads that LAPACK calls of programs take: one each, while such programs run.

Every device has a core and makes calls of its own. Calls that OpenBLAS spreads over its own threads
wait for each other, busily (on shared cores for minutes), and the number of cores decides their
last bits.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Iterator
from typing import Any


class _Limit:
    """SciPy's BLAS, which jaxlib calls, on one thread as long as anyone holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._limits: Any = None

    def take(self) -> None:
        import threadpoolctl

        with self._lock:
            if self._holders == 0:
                libraries = threadpoolctl.ThreadpoolController().lib_controllers
                paths = [lib.filepath for lib in libraries if lib.user_api == "blas"]
                used = [path for path in paths if "numpy.libs" not in path]  # NumPy's own
                chosen = threadpoolctl.ThreadpoolController().select(filepath=used)
                self._limits = chosen.limit(limits=1)
            self._holders += 1

    def give_back(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._limits.restore_original_limits()


_LIMIT = _Limit()

_SCOPE: contextvars.ContextVar[list[_Limit] | None] = contextvars.ContextVar("scope", default=None)


@contextlib.contextmanager
def scope() -> Iterator[None]:
    """What `one_each` changes inside is undone at the end; decorates functions, too."""
    held: list[_Limit] = []
    token = _SCOPE.set(held)
    try:
        yield
    finally:
        _SCOPE.reset(token)
        for limit in held:
            limit.give_back()


def one_each() -> None:
    """LAPACK calls keep to one thread each until the scope ends; nothing outside of one."""
    held = _SCOPE.get()
    if held is not None and not held:
        _LIMIT.take()
        held.append(_LIMIT)
