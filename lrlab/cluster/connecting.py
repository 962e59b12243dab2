"""The connection to a Ray cluster: the one that runs, the one that was named, or one of our own."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from types import FrameType, ModuleType
from typing import Any

from lrlab.core.errors import FieldError
from lrlab.core.extras import install
from lrlab.core.remote import Ray
from lrlab.engine.devices import cores

OWN_CLUSTER = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Settings of Ray's for a cluster that is started here: nothing is reported to its makers, and
workers without GPUs see the environment as it is."""

OWN_MARK = "lrlab_of_one_process"
"""A resource of a cluster that is started here. It ends with this process, so no other is to join
it, though Ray would find it."""

AUTHENTICATION = "ray._private.authentication"
"""The logger that says, at each start, that processes of a cluster show each other a token, which
is Ray's default and no news. Where somebody set `RAY_AUTH_MODE`, what it says is let through."""

OF_JOBS = ("working_dir", "py_modules")
"""What of a `runtime_env` Ray sends once, when a process connects; all else a task may have."""

TRIES = 3
"""Times that a cluster which answers is asked to serve a client: on a slow machine the process that
it starts for this may take longer than the 30 s that Ray waits for it."""


def of_tasks(runtime_env: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a `runtime_env` that each task names.

    >>> of_tasks({"working_dir": ".", "env_vars": {"A": "1"}})
    {'env_vars': {'A': '1'}}
    """
    return {name: value for name, value in runtime_env.items() if name not in OF_JOBS}


def check_installed() -> None:
    """Whether Ray is there, before anything else is done.

    Raises:
        FieldError: it is not; says what to install, and how a run continues without.
    """
    if importlib.util.find_spec("ray") is None:
        message = f"needs Ray, which is not installed: {install('ray')}"
        raise FieldError("on", f"{message}; `--on local` trains in this process")


def connected(on: Ray) -> ModuleType:
    """Ray, connected; it stays so until `ray.shutdown()` or the end of the process.

    Without an address: the cluster that this process is connected to, one that runs on this machine
    (`ray start`, or RAY_ADDRESS), else one that is started here, without a dashboard. One that
    another process of lrlab's started for itself is left to it.

    Raises:
        FieldError: Ray is not installed, nothing answers there, or this process is connected
            already, to another cluster or without what `runtime_env` has.
    """
    check_installed()
    import ray

    if ray.is_initialized():
        if on.address not in (None, "auto") and not _is_at(ray, str(on.address)):
            raise FieldError(
                "on.address",
                f"{on.address}: this process is connected to another cluster; end that by "
                "ray.shutdown(), or leave the address out",
            )
        held = ray.get_runtime_context().runtime_env
        if missing := sorted(set(OF_JOBS) & set(on.runtime_env or ()) - set(held)):
            raise FieldError(
                "on.runtime_env",
                f"{', '.join(missing)}: can be had only where the connection is made, and this "
                "process is connected already; end that by ray.shutdown() first",
            )
        return ray
    usual: dict[str, Any] = {"configure_logging": False, "log_to_driver": False}
    if on.runtime_env:
        usual["runtime_env"] = dict(on.runtime_env)
    with _held(), _unchanged():
        if on.address is not None and on.address != "auto":
            _init(ray, on.address, usual)
            return ray
        if not _joined(ray, usual):
            if on.address == "auto":
                message = '"auto": no Ray cluster runs here; begin one by `ray start --head`'
                raise FieldError("on.address", message)
            own = {"num_cpus": cores(), "resources": {OWN_MARK: 1}, "include_dashboard": False}
            ray.init(address="local", **own, **usual)
    return ray


def _joined(ray: ModuleType, options: Mapping[str, Any]) -> bool:
    """Connects to a cluster that runs on this machine and is nobody's own; False: there is none."""
    try:
        ray.init(address="auto", **options)
        if OWN_MARK not in ray.cluster_resources():
            return True
        ray.shutdown()
    except ConnectionError:  # also of one that ends at this moment
        pass
    return False


def _init(ray: ModuleType, address: str, options: Mapping[str, Any]) -> None:
    for left in reversed(range(TRIES)):
        try:
            ray.init(address=address, **options)
            return
        except ConnectionAbortedError as error:
            # The cluster answers, and has not begun the process that serves this client.
            if not left:
                message = f"{address}: the cluster answers, and serves no client ({_reason(error)})"
                raise FieldError("on.address", message) from error
        except (ConnectionError, ValueError, RuntimeError, ImportError) as error:
            message = f"{address}: no Ray cluster answers there ({_reason(error)})"
            raise FieldError("on.address", message) from error


def _reason(error: Exception) -> str:
    """The last line of an error's text: of a traceback from elsewhere, the error itself."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


def _is_at(ray: ModuleType, address: str) -> bool:
    """Whether the cluster that this process is connected to is the one at an address."""
    if address.startswith("ray://"):
        return ray.util.client.ray.is_connected()
    return ray.get_runtime_context().gcs_address == address


@contextlib.contextmanager
def _unchanged() -> Iterator[None]:
    """Ray sets a handler of SIGTERM in the process that connects; ours, which ends a run with a
    commit, stays. It names itself by Python's common random numbers: those that it draws are others
    in each process, and a caller's continue where they were."""
    drawn = random.getstate()
    random.seed()
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if in_main else None
    missing = [name for name in OWN_CLUSTER if name not in os.environ]
    os.environ.update({name: OWN_CLUSTER[name] for name in missing})
    logger = logging.getLogger(AUTHENTICATION)
    level = logger.level
    if "RAY_AUTH_MODE" not in os.environ:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # JAX's, where it has threads already: what Ray starts runs another program at once.
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            yield
    finally:
        random.setstate(drawn)
        logger.setLevel(level)
        for name in missing:
            del os.environ[name]
        if in_main and before is not None:
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Ctrl-C waits until Ray is connected; a second one does not. Where Ray is interrupted on its
    way there, it leaves processes behind, and its end may crash this one."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    pressed: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if pressed:
            pressed.clear()
            signal.signal(signal.SIGINT, before)
            before(number, frame)
        else:
            pressed.append(number)
            text = "Stopping as soon as Ray has begun; Ctrl-C again to stop at once."
            print(text, file=sys.stderr, flush=True)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            before(pressed[0], None)
