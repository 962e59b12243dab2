"""Whether the Ray cluster is still there.

Ray itself waits a minute for a cluster that went away, in calls that do not return, and then ends
the whole process. So its address is looked at before such calls.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from types import ModuleType

from lrlab.core.errors import WorkerError

ENOUGH = 10.0
"""Seconds without an answer after which a cluster counts as gone: longer than a network's hiccup,
and far below the 60 s after which Ray ends the process."""

ANSWER = 1.0
"""Seconds that an address has to answer."""

PAUSE = 0.5
"""Seconds between two looks at an address that does not answer."""


def check(
    ray: ModuleType, answers: Callable[[str], bool] | None = None, enough: float = ENOUGH
) -> None:
    """Waits until the cluster answers; returns at once where it does.

    Args:
        answers: whether a machine answers at HOST:PORT.
        enough: seconds after which it counts as gone.

    Raises:
        WorkerError: it is gone. This process is no longer connected to it, so that Ray does not end
            it.
    """
    address, answers = address_of(ray), answers or open_at
    if address is None:
        return
    until = time.monotonic() + enough
    while not answers(address):
        if time.monotonic() > until:
            raise _gone(ray, address, f"has not answered for {enough:.0f} s")
        time.sleep(PAUSE)


@contextlib.contextmanager
def watched(ray: ModuleType) -> Iterator[None]:
    """Calls of Ray's inside that fail because the cluster is gone say so.

    Raises:
        WorkerError: in their place.
    """
    try:
        yield
    except (ConnectionError, ray.exceptions.LocalRayletDiedError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise _gone(ray, address_of(ray), f"cannot be reached ({reason[:200]})") from error
    except (ray.exceptions.RaySystemError, ray.exceptions.RpcError):
        check(ray)
        raise


def address_of(ray: ModuleType) -> str | None:
    """HOST:PORT of the cluster's head; None where a far client's connection stands between, whose
    calls fail by themselves, or where there is no connection."""
    if not ray.is_initialized() or ray.util.client.ray.is_connected():
        return None
    return ray.get_runtime_context().gcs_address


def open_at(address: str) -> bool:
    """Whether something answers at HOST:PORT.

    >>> open_at("127.0.0.1:1")
    False
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER):
            return True
    except OSError:
        return False


def _gone(ray: ModuleType, address: str | None, what: str) -> WorkerError:
    with contextlib.suppress(Exception):  # of a connection that has no other end
        ray.shutdown()
    at = f" at {address}" if address else ""
    return WorkerError(
        f"the Ray cluster{at} {what}; a run in a folder continues from its last commit, here or on "
        "another cluster"
    )
