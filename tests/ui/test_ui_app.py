"""The local page's application, asked as a browser asks: content, headers, refusals."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest
from live_run import LiveRun

from lrlab.ui.app import application

HOSTILE = "<img src=x onerror=alert(1)></script>\"'"


def ask(app, path, query="", method="GET", host="127.0.0.1:1", enough=lambda body: False):
    """(status, headers, body) of one answer; a stream is left as soon as it is `enough`."""
    found = {"status": 0, "headers": {}, "body": ""}
    done = asyncio.Event()

    async def receive():
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            found["status"] = message["status"]
            found["headers"] = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            found["body"] += message.get("body", b"").decode()
            if not message.get("more_body") or enough(found["body"]):
                done.set()

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "headers": [(b"host", host.encode())], "scheme": "http",
        "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2), "http_version": "1.1",
        "asgi": {"version": "3.0"}, "root_path": "",
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return found["status"], found["headers"], found["body"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("finished") / "run"
    LiveRun(path, name=HOSTILE).finish()
    return path


@pytest.fixture
def root(tmp_path, finished):
    shutil.copytree(finished, tmp_path / "done")
    return tmp_path


@pytest.fixture
def app(root):
    return application(root, "127.0.0.1")


@pytest.mark.parametrize(("path", "query"), [
    ("/", ""), ("/report", "run=done"), ("/data", "run=done"), ("/assets/report.js", ""),
    ("/assets/report.css", ""), ("/assets/ui.css", ""), ("/assets/list.js", ""),
    ("/assets/icon.svg", ""), ("/report", "run=nothing"), ("/nothing", ""),
])  # fmt: skip
def test_every_answer_has_the_headers(app, path, query):
    status, headers, _ = ask(app, path, query)
    assert status == (404 if "nothing" in path + query else 200)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "script-src 'self';" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers and "set-cookie" not in headers


def test_names_are_escaped(app):
    for path, query in (("/", ""), ("/report", "run=done")):
        for _ in range(1000):  # the list is read in parts of some milliseconds
            body = ask(app, path, query)[2]
            if "onerror" in body:
                break
        assert "<img" not in body and "onerror" in body
        assert body.count("</script>") == body.count("<script")


def test_a_run_has_the_reports_own_numbers(app, root):
    content = json.loads(ask(app, "/data", "run=done")[2])
    assert content["kind"] == "report" and content["state"] == "finished"
    (run,) = content["numbers"]["runs"]
    answer = {"lr": 0.1, "interval": [0.05, 0.2], "level": "the tolerance"}
    assert run["answer"] == answer and len(run["lanes"]) == 18
    assert "Train with learning rate 0.1." in content["pieces"][0]["facts"]


def test_runs_are_compared(app, root):
    shutil.copytree(root / "done", root / "other")
    content = json.loads(ask(app, "/data", "run=done&run=other")[2])
    assert len(content["numbers"]["comparison"]["runs"]) == 2 and content["overview"]
    assert ask(app, "/report", "&".join(f"run=r{k}" for k in range(13)))[0] == 400


def test_what_cannot_be_drawn_is_said(app, root):
    written = LiveRun(root / "begun")
    status, _, body = ask(app, "/report", "run=begun")
    assert status == 200 and "nothing to draw yet" in body
    written.run.close("failed")
    assert "nothing was committed" in ask(app, "/report", "run=begun")[2]
    (root / "done" / "run.json").write_text("{")
    status, _, body = ask(app, "/report", "run=done")
    assert status == 200 and "This cannot be shown" in body


@pytest.mark.parametrize("query", [
    "run=../outside", "run=%2e%2e%2foutside", "run=/etc", "run=", "", "run=done/../done",
    "run=done%00", "run=%ff",
])  # fmt: skip
@pytest.mark.parametrize("path", ["/report", "/data", "/changed"])
def test_no_way_out_of_the_folder(app, path, query):
    assert ask(app, path, query)[0] == 404


@pytest.mark.parametrize("path", [
    "/assets/../app.py", "/assets/..%2fapp.py", "/assets/app.py", "/assets/", "/etc/passwd",
])  # fmt: skip
def test_no_other_file(app, path):
    assert ask(app, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_is_written(app, method):
    assert ask(app, "/", method=method)[0] == 405


@pytest.mark.parametrize(("bound", "host", "status"), [
    ("127.0.0.1", "evil.example:1", 421), ("127.0.0.1", "localhost:1", 200),
    ("127.0.0.1", "[::1]:1", 200), ("127.0.0.1", "10.0.0.2:1", 421), ("127.0.0.1", "", 421),
    ("127.0.0.1", "127.0.0.1.evil.example", 421), ("0.0.0.0", "10.0.0.2:1", 200),
    ("0.0.0.0", "evil.example", 421), ("192.168.0.9", "192.168.0.9:1", 200),
])  # fmt: skip
def test_other_names_are_refused(root, bound, host, status):
    assert ask(application(root, bound), "/", host=host)[0] == status


def test_a_token_is_the_first_part_of_every_address(root):
    app = application(root, "0.0.0.0", "abc")
    for path in ("/", "/report", "/abcd/", "/ab/", "/assets/ui.css"):
        assert ask(app, path, "run=done")[0] == 404
    assert ask(app, "/abc/", "")[0] == 200 and ask(app, "/abc/report", "run=done")[0] == 200
    status, headers, _ = ask(app, "/abc")
    assert status == 307 and headers["location"] == "/abc/"


def test_news_are_streamed(root):
    written = LiveRun(root / "run")
    written.advance(20)
    app = application(root, "127.0.0.1")
    stamp = json.loads(ask(app, "/data", "run=run")[2])["stamp"]
    written.advance(40)
    _, headers, body = ask(app, "/changed", f"run=run&stamp={stamp}", enough=lambda b: "data" in b)
    assert headers["content-type"].startswith("text/event-stream") and '"changed":true' in body
    content = json.loads(ask(app, "/data", "run=run")[2])
    assert content["state"] == "running" and content["stamp"] != stamp
    assert content["done"] == [pytest.approx(0.687, abs=0.01)]
    body = ask(app, "/rows", "since=x", enough=lambda b: "data" in b)[2]
    news = json.loads(body.partition("data: ")[2])
    assert {row["run"] for row in news["rows"]} == {"done", "run"}
    written.run.close("interrupted")


def test_streams_end_with_the_server(root):
    ending = []
    app = application(root, "127.0.0.1", "", lambda: bool(ending))
    ending.append(1)
    assert ask(app, "/rows", "since=0")[0] == 200


def test_a_run_alone_is_not_made_of_runs(app, root):
    """Neither before its first commit nor later; of a comparison even one run is named."""
    early = LiveRun(root / "early")
    whole = LiveRun(root / "both", "compare")
    part = LiveRun(root / "both" / "sgd", "find")
    part.advance(20)
    for name in ("early", "done"):
        assert "Its runs" not in ask(app, "/report", f"run={name}")[2]
    assert '<a href="report?run=both%2Fsgd">both/sgd</a>' in ask(app, "/report", "run=both")[2]
    for one in (early, part, whole):
        one.run.close("interrupted")
