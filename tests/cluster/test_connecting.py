"""The connection to a cluster, with a stand-in for Ray that answers as the test wants."""

from __future__ import annotations

import functools
import random
import signal
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from lrlab.cluster.connecting import OWN_MARK, TRIES, _held, _init, _joined, _unchanged
from lrlab.core.errors import FieldError

AT = "ray://10.0.0.1:10001"


def ray_that(*answers: Exception | None) -> tuple[SimpleNamespace, list[str]]:
    """A Ray whose `init` raises these in turn, or connects where one is None; what it was called
    with."""
    calls: list[str] = []

    def init(address: str) -> None:
        calls.append(address)
        if (answer := answers[len(calls) - 1]) is not None:
            raise answer

    return SimpleNamespace(init=init), calls


def test_a_cluster_that_serves_no_client_is_asked_again() -> None:
    ray, calls = ray_that(ConnectionAbortedError("it died"), None)
    _init(ray, AT, {})
    assert calls == [AT, AT]


def test_the_reason_is_the_last_line_of_what_the_cluster_says() -> None:
    text = (
        "Initialization failure from server:\nTraceback ...\nRuntimeError: no server was started.\n"
    )
    ray, calls = ray_that(*[ConnectionAbortedError(text)] * TRIES)
    with pytest.raises(FieldError) as error:
        _init(ray, AT, {})
    assert len(calls) == TRIES
    assert "serves no client (RuntimeError: no server was started.)" in str(error.value)


@pytest.mark.parametrize(
    "reason", [ConnectionError("refused"), ValueError("no port"), RuntimeError()]
)
def test_a_cluster_that_is_not_there_is_asked_once(reason: Exception) -> None:
    ray, calls = ray_that(reason)
    with pytest.raises(FieldError) as error:
        _init(ray, AT, {})
    assert calls == [AT]
    assert f"no Ray cluster answers there ({str(reason) or 'RuntimeError'})" in str(error.value)


def cluster(*, own: bool | None) -> tuple[SimpleNamespace, list[str]]:
    """A Ray on whose machine a cluster runs, which some process started for itself or not; None:
    there is none."""
    calls: list[str] = []

    def init(address: str, **options: object) -> None:
        calls.append(address)
        if own is None:
            raise ConnectionError("none")

    has = {"CPU": 2.0} | ({OWN_MARK: 1.0} if own else {})
    end = functools.partial(calls.append, "left")
    return SimpleNamespace(init=init, cluster_resources=lambda: has, shutdown=end), calls


@pytest.mark.parametrize(
    ("own", "expected", "asked"),
    [(False, True, ["auto"]), (True, False, ["auto", "left"]), (None, False, ["auto"])],
    ids=["shared", "of another process", "none"],
)
def test_a_cluster_that_ends_with_another_process_is_left_to_it(own, expected, asked) -> None:
    ray, calls = cluster(own=own)
    assert _joined(cast(ModuleType, ray), {}) is expected
    assert calls == asked


def begun(presses: int, reached: list[str]) -> None:
    """Connects, while Ctrl-C is pressed so often."""
    with _held():
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
        reached.append("connected")


@pytest.mark.parametrize(("presses", "expected"), [(1, ["connected"]), (2, [])])
def test_ctrl_c_waits_until_ray_is_connected_and_a_second_one_does_not(
    presses, expected, capsys
) -> None:
    reached = list[str]()
    # Jobs in the background inherit a process that ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            begun(presses, reached)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert reached == expected
    assert "Ctrl-C again" in capsys.readouterr().err


def test_what_ray_draws_is_not_taken_from_the_common_random_numbers() -> None:
    before = random.getstate()
    drawn = set()
    for _ in range(2):  # as for two scripts that were seeded alike
        with _unchanged():
            drawn.add(random.getrandbits(224))
        assert random.getstate() == before
    assert len(drawn) == 2
