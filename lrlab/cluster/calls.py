"""Functions called by the workers of a Ray cluster, one at a worker at a time."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lrlab.cluster.connecting import connected
from lrlab.cluster.ray_pool import nodes_of, options_of, shape_of
from lrlab.cluster.worker import environment, settle
from lrlab.core.remote import Ray


class Called(NamedTuple):
    """What a function gave after so many `seconds`, or the error that it raised."""

    place: str
    value: Any
    error: BaseException | None
    seconds: float


def called(
    on: Ray, places: Sequence[str], begins: Callable[[str], None] = lambda place: None
) -> Iterator[Called]:
    """Calls functions ("module:function", without arguments, of packages that the workers have);
    yields each as it ends. One whose worker is killed is called again; what has not ended when the
    caller goes is given up.

    Args:
        begins: hears of each as it is handed to a worker.

    Raises:
        FieldError: no such cluster, or no room for a worker.
    """
    ray = connected(on)
    shape = shape_of(on, nodes_of(ray))
    devices = shape.gpus or shape.cpus
    task = ray.remote(call).options(**options_of(ray, on, shape))
    waiting, running = deque(places), {}
    try:
        while waiting or running:
            room = shape.fit(nodes_of(ray))
            most = max(1, min(room, on.workers or room))
            while waiting and len(running) < most:
                place = waiting.popleft()
                begins(place)
                running[task.remote(place, devices, environment())] = place
            ready, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
            for ref in ready:
                place = running.pop(ref)
                try:
                    yield Called(place, *ray.get(ref))
                except ray.exceptions.RayError as error:
                    yield Called(place, None, getattr(error, "cause", None) or error, 0.0)
    finally:
        for ref in running:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.cancel(ref)


def call(place: str, devices: int, variables: Mapping[str, str]) -> tuple[Any, ...]:
    """What a worker does: gives what comes after the place in `Called`."""
    settle(variables, devices)
    return timed(place)[1:]


def timed(place: str) -> Called:
    """Calls a function here.

    >>> timed("math:inf").error
    TypeError("'float' object is not callable")
    """
    module, function = place.split(":")
    began = time.perf_counter()
    try:
        value = getattr(importlib.import_module(module), function)()
    except Exception as error:  # it is the caller's, with what it took
        return Called(place, None, error, time.perf_counter() - began)
    return Called(place, value, None, time.perf_counter() - began)
