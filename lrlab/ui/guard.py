"""Who may ask the page, and with what headers it answers: an ASGI layer around the application."""

from __future__ import annotations

import ipaddress
import platform
import secrets
from collections.abc import Sequence

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""Of every answer. Styles in attributes are the report's own bars and color marks; no script stands
in a page, so that none can be smuggled into one."""

OK, MOVED = 200, 307

METHODS = ("GET", "HEAD")
"""Nothing is written."""


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own, which no other machine reaches.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost")
    (True, True, True)
    >>> is_loopback("0.0.0.0")
    False
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """The name or address in a Host header, without its port.

    >>> host_of("localhost:80"), host_of("[::1]:80"), host_of("a.b")
    ('localhost', '::1', 'a.b')
    """
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.rpartition(":")[0].lower() if header.count(":") == 1 else header.lower()


def host_allowed(header: str, bound: str) -> bool:
    """Whether a request's Host header names this server.

    A page elsewhere can have its own name lead here (DNS rebinding), and the browser would let it
    read the answers. It cannot have an address lead here, so that any address is right where the
    server is open to other machines.

    Args:
        header: of the request. bound: the address or name that the server answers on.

    >>> host_allowed("localhost:8", "127.0.0.1"), host_allowed("evil.example:8", "127.0.0.1")
    (True, False)
    >>> host_allowed("10.0.0.2:8", "0.0.0.0"), host_allowed("10.0.0.2:8", "127.0.0.1")
    (True, False)
    """
    host = host_of(header)
    if is_loopback(host):
        return True
    if is_loopback(bound):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        node = platform.node().lower()
        return host in {bound.lower(), node, node.partition(".")[0], f"{node}.local"}
    return True


class Guard:
    """The application behind its checks. A class because ASGI layers are made so.

    Args:
        app: what answers. bound: the address that the server answers on. token: the first part of
            every path; "" for none.
    """

    def __init__(self, app: ASGIApp, bound: str, token: str = "") -> None:
        self.app, self.bound, self.token = app, bound, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it; only HTTP is spoken."""
        if scope["type"] != "http":
            return

        async def guarded(event: Message) -> None:
            if event["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                sent: Sequence[tuple[bytes, bytes]] = event.get("headers", ())
                kept = [(name, value) for name, value in sent if name.decode() not in HEADERS]
                event = {**event, "headers": [*kept, *own]}
            await send(event)

        status, words, scope = self._checked(scope)
        if status == OK:
            await self.app(scope, receive, guarded)
        elif status == MOVED:
            await RedirectResponse(words, MOVED)(scope, receive, guarded)
        else:
            await PlainTextResponse(words, status)(scope, receive, guarded)

    def _checked(self, scope: Scope) -> tuple[int, str, Scope]:
        header = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if not host_allowed(header.decode("latin-1"), self.bound):
            return 421, "this server does not answer to that name", scope
        if scope["method"] not in METHODS:
            return 405, "this page only reads", scope
        if not self.token:
            return OK, "", scope
        first, _, rest = scope["path"].lstrip("/").partition("/")
        if not secrets.compare_digest(first.encode(), self.token.encode()):
            return (
                404,
                "not found; the whole address, with its token, was printed by lrlab ui",
                scope,
            )
        if scope["path"] == f"/{self.token}":  # relative links need the slash
            return MOVED, f"/{self.token}/", scope
        return OK, "", {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
