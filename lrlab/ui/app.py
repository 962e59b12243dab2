"""The application: five addresses, all of which only read."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from lrlab.core.errors import RunError
from lrlab.core.paths import shown
from lrlab.core.text import Table
from lrlab.report.html.page import compact
from lrlab.ui import pages
from lrlab.ui.catalog import Catalog
from lrlab.ui.guard import Guard
from lrlab.ui.views import Views, stamp_of

LOOK = 0.25
"""Seconds between two looks at the files of what a browser shows: a commit is seen within that."""

BEAT = 15.0
"""Seconds after which a stream without news says that it lives, so that a browser that has gone is
noticed."""

YIELD = 0.01
"""Seconds between two pieces of reading ahead, in which a request comes by."""

MOST = 12
"""Runs on one page, at most: beyond, colors are too alike."""

T = TypeVar("T")


def application(
    root: Path, bound: str, token: str = "", ending: Callable[[], bool] = lambda: False
) -> Guard:
    """The page of the runs below a folder.

    Args:
        root: the folder, absolute, without symbolic links.
        bound: the address that the server answers on.
        token: the first part of every path; "" for none.
        ending: whether the server is to end: streams end then.
    """
    catalog, views = Catalog(root), Views(root)
    # The first page need not wait for what can be read before it is asked for.
    threading.Thread(target=_read_ahead, args=(catalog, ending), daemon=True).start()

    def names_of(request: Request) -> list[str]:
        names = list(dict.fromkeys(request.query_params.getlist("run")))
        if len(names) > MOST:
            raise HTTPException(400, f"{len(names)} runs on one page; at most {MOST}")
        return names

    async def listing(request: Request) -> Response:
        changes = await run_in_threadpool(catalog.changes)
        return HTMLResponse(pages.listing(shown(root), changes._asdict()))

    async def report(request: Request) -> Response:
        view = await _found(lambda: views.view(names_of(request)))
        return HTMLResponse(await run_in_threadpool(pages.report, view))

    async def data(request: Request) -> Response:
        view = await _found(lambda: views.view(names_of(request)))
        content = await run_in_threadpool(lambda: compact(pages.update(view)))
        return Response(content, media_type="application/json")

    async def rows(request: Request) -> Response:
        given = request.query_params.get("since", "0")
        since = int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0

        async def news() -> AsyncIterator[Table | None]:
            nonlocal since
            while True:
                changes = await run_in_threadpool(catalog.changes, since)
                since = changes.serial
                yield changes._asdict() if changes.rows or changes.gone else None
                if not changes.waiting:
                    await asyncio.sleep(LOOK)

        return _stream(news(), ending)

    async def changed(request: Request) -> Response:
        names = names_of(request)
        await _found(lambda: views.version(names))
        stamp = request.query_params.get("stamp", "")

        async def news() -> AsyncIterator[Table | None]:
            nonlocal stamp
            while True:
                now = await run_in_threadpool(_stamp, views, names)
                yield {"changed": True} if now != stamp else None
                stamp = now
                await asyncio.sleep(LOOK)

        return _stream(news(), ending)

    async def assets(request: Request) -> Response:
        found = pages.file(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "no such file")
        return Response(found[0], media_type=found[1])

    routes = [
        Route("/", listing),
        Route("/report", report),
        Route("/data", data),
        Route("/rows", rows),
        Route("/changed", changed),
        Route("/assets/{name}", assets),
    ]
    return Guard(Starlette(routes=routes), bound, token)


def _read_ahead(catalog: Catalog, ending: Callable[[], bool]) -> None:
    while catalog.changes(sys.maxsize).waiting and not ending():
        time.sleep(YIELD)


async def _found(what: Callable[[], T]) -> T:
    try:
        return await run_in_threadpool(what)
    except RunError as error:
        raise HTTPException(404, str(error)) from None


def _stamp(views: Views, names: list[str]) -> str:
    """The version of some runs; "gone" once one is no more."""
    try:
        return stamp_of(views.version(names))
    except RunError:
        return "gone"


def _stream(news: AsyncIterator[Table | None], ending: Callable[[], bool]) -> Response:
    """Server-sent events, until the browser or the server ends."""

    async def lines() -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        last = time.monotonic()
        async for one in news:
            if ending():
                return
            if one is not None:
                yield f"data: {compact(one)}\n\n"
                last = time.monotonic()
            elif time.monotonic() - last > BEAT:
                yield ": beat\n\n"
                last = time.monotonic()

    return StreamingResponse(lines(), media_type="text/event-stream")
