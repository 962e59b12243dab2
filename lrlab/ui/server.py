"""The local server: a socket, an address to open, and uvicorn until Ctrl-C."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import uvicorn

from lrlab.core.errors import RunError
from lrlab.ui.app import application
from lrlab.ui.guard import is_loopback

PORT = 8642
"""Where it answers unless a port is given; where that is taken, any free port."""

TOKEN_BYTES = 24
"""Of the random part of an address that other machines reach."""

PATIENCE = 2
"""Seconds that open connections get at the end."""


class Bound(NamedTuple):
    """A socket that listens, and how it is reached: `address` with the token, ending in a slash."""

    socket: socket.socket
    host: str
    address: str
    token: str


def bind(host: str = "127.0.0.1", port: int | None = None) -> Bound:
    """Takes a port. An address that other machines reach gets a token.

    Args:
        host: an address, or a name of one. port: None for `PORT`, or any free one; 0 for any.

    Raises:
        RunError: the address is not this machine's, or the port is taken.
    """
    wanted = [PORT, 0] if port is None else [port]
    found: socket.socket | None = None
    for number in wanted:
        try:
            family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
            found = socket.create_server((host, number), family=family)
        except (OSError, OverflowError, UnicodeError) as error:
            if number == wanted[-1]:
                words = f"cannot listen on {host}, port {number} ({error})"
                raise RunError(f"{words}; choose others by --host and --port") from None
        if found is not None:
            break
    assert found is not None
    token = "" if is_loopback(host) else secrets.token_urlsafe(TOKEN_BYTES)
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    name = f"[{name}]" if ":" in name else name
    path = f"{token}/" if token else ""
    return Bound(found, host, f"http://{name}:{found.getsockname()[1]}/{path}", token)


def serve(root: Path, bound: Bound, ready: Callable[[], None] = lambda: None) -> None:
    """Answers until Ctrl-C.

    Args:
        root: the folder of runs, absolute, without symbolic links.
        bound: see `bind`. ready: called before the first request is answered.
    """
    app = application(root, bound.host, bound.token, lambda: server.should_exit)
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, server_header=False, lifespan="off",
        http="h11", ws="none", loop="asyncio", timeout_graceful_shutdown=PATIENCE,
        proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    ready()
    with contextlib.suppress(KeyboardInterrupt), bound.socket:  # Ctrl-C is its usual end
        server.run(sockets=[bound.socket])
