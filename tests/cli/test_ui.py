"""`lrlab ui` as a command: what it refuses, what it prints, how it ends. The page: `tests/ui`."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from live_run import LiveRun

from lrlab.cli.app import run
from lrlab.ui import server


def test_without_the_extra_one_sentence_names_it(tmp_path):
    code = (
        "import sys; sys.modules['uvicorn'] = None; from lrlab.cli import main; "
        f"main(['ui', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert "pip install 'lrlab[ui]'" in done.stderr and len(done.stderr.splitlines()) == 1


def test_what_is_refused(tmp_path, capsys):
    assert run(["ui", str(tmp_path / "nothing")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert run(["ui", str(tmp_path), "--host", "192.0.2.7"]) == 2
    assert "cannot listen on 192.0.2.7" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["ui", str(tmp_path), "--port", str(taken.getsockname()[1])]) == 2
    assert "choose others by --host and --port" in capsys.readouterr().err
    assert run(["ui", str(tmp_path), "--port", "70000"]) == 2


def test_an_address_that_others_reach_has_a_token(monkeypatch):
    for host, known in (("127.0.0.1", ""), ("localhost", ""), ("0.0.0.0", None)):
        bound = server.bind(host, 0)
        bound.socket.close()
        assert (bound.token == "") == (known == "")
        assert bound.address.endswith(f"/{bound.token}/" if bound.token else "/")
        assert len(bound.token) in (0, 32)


def test_where_the_usual_port_is_taken_another_one(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(server, "PORT", taken.getsockname()[1])
        bound = server.bind()
        bound.socket.close()
        assert bound.address != f"http://127.0.0.1:{taken.getsockname()[1]}/"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
def test_one_run_opens_its_page_and_ctrl_c_ends_it(tmp_path):
    LiveRun(tmp_path / "a run").run.close("interrupted")
    command = [
        sys.executable,
        "-m",
        "lrlab",
        "ui",
        str(tmp_path / "a run"),
        "--port",
        "0",
        "--json",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as done:
        assert done.stdout is not None
        address = json.loads(done.stdout.readline())["address"]
        assert address.endswith("/report?run=a+run")
        with urllib.request.urlopen(address, timeout=600) as answer:
            assert "a run - lrlab" in answer.read().decode()
        done.send_signal(signal.SIGINT)
        out, err = done.communicate(timeout=600)
    assert (done.returncode, out, err) == (0, "", "")
