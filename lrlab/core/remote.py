"""Where lanes are trained beyond one process, in the words of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lrlab.core.text import JsonObject, show

LOCAL = "local"
"""The word for this process, on the command line: what is there where nothing is said."""

NEAR = "ray"
"""The word for Ray without an address."""


class Ray(NamedTuple):
    """The workers of a Ray cluster (the extra `ray`). No recorded number depends on it.

    `address`: "ray://HOST:PORT", "HOST:PORT" or "auto" (the cluster that runs on this machine);
    None: that one, or a new one that ends with the process. `workers`: how many train at the same
    time, at most; None: as many as there is room for, also on nodes that join later.
    `cpus_per_worker`: cores, each a device; None: all of a node's, shared out where `workers` says
    how many there are to be. `gpus_per_worker`: GPUs of a worker; 0 trains on CPUs.
    `runtime_env`: Ray's own description of what workers need (packages, files).

    >>> Ray(workers=2).workers
    2
    """

    address: str | None = None
    workers: int | None = None
    cpus_per_worker: int | None = None
    gpus_per_worker: int = 0
    runtime_env: Mapping[str, Any] | None = None


def table_of(value: object) -> object:
    """`on` as the table of a configuration: a word or an address is short for one, and what is no
    text is left for the schema to judge.

    Raises:
        ValueError: a text that is neither.

    >>> table_of("ray"), table_of("ray://10.0.0.1:10001"), table_of(Ray(workers=2))
    ({}, {'address': 'ray://10.0.0.1:10001'}, {'workers': 2, 'gpus_per_worker': 0})
    """
    if isinstance(value, Ray):
        return {key: one for key, one in value._asdict().items() if one is not None}
    if not isinstance(value, str):
        return value
    if value == NEAR:
        return {}
    host, _, port = value.removeprefix("ray://").rpartition(":")
    if value == "auto" or (host and port.isdecimal()):
        return {"address": value}
    raise ValueError(f'must be "ray", "auto", "ray://HOST:PORT" or "HOST:PORT", got {show(value)}')


def on_top(below: JsonObject | None, word: str) -> object:
    """What the word of a command line makes of the `on` of a file: "local" takes it away, "ray"
    leaves it as it is, an address is put into it.

    >>> on_top({"workers": 2}, "auto"), on_top({"workers": 2}, "ray"), on_top({}, "local")
    ({'workers': 2, 'address': 'auto'}, {'workers': 2}, None)
    """
    if word == LOCAL:
        return None
    table = table_of(word)
    assert isinstance(table, dict)
    return {**(below or {}), **table}
