"""A real browser that tests drive: Debian's chromium, by its DevTools protocol over two pipes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = shutil.which("chromium")
"""The browser; None where there is none."""

PATIENCE = 300.0
"""Seconds that anything may take: only against hanging."""


class Browser:
    """One tab. A class because it holds the pipes; everything it saw is in `events`."""

    def __init__(self, process: subprocess.Popen[bytes], out: int, back: int) -> None:
        self.process, self.out, self.back = process, out, back
        self.events: list[dict[str, Any]] = []
        self._rest, self._last, self._session = b"", 0, ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)

    def _read(self, timeout: float) -> bool:
        ready, _, _ = select.select([self.back], [], [], timeout)
        if not ready:
            return False
        self._rest += os.read(self.back, 1 << 20)
        *whole, self._rest = self._rest.split(b"\0")
        self.events += [json.loads(one) for one in whole]
        return True

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        content = {"id": self._last, "method": method, "params": params}
        if self._session:
            content["sessionId"] = self._session
        os.write(self.out, json.dumps(content).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for event in self.events:
                if event.get("id") == self._last:
                    self.events.remove(event)
                    assert "error" not in event, event
                    return event["result"]
            self._read(1.0)
        raise AssertionError(f"no answer to {method}")

    def size(self, width: int, height: int, dark: bool = False) -> None:
        """The window, and the theme that the system is said to have."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=1, mobile=False)  # fmt: skip
        theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", features=theme)

    def go(self, url: str) -> None:
        """Opens an address; what was seen before is forgotten."""
        self.events.clear()
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True,
                            awaitPromise=True)  # fmt: skip
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Until the expression is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError):  # between two pages
                if self.run(f"!!({script})"):
                    return
            self._read(0.05)
        raise AssertionError(f"never came true: {script}\n{self.complaints()}")

    def key(self, key: str) -> None:
        """Presses a key where the focus is."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39, " ": 32}
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, text=text,
                       windowsVirtualKeyCode=codes.get(key, ord(key[0])))  # fmt: skip

    def write(self, text: str) -> None:
        """Types text where the focus is."""
        self._call("Input.insertText", text=text)

    def picture(self, path: Path, whole: bool = False) -> Path:
        """A picture of the window, or of the whole page."""
        more = {"captureBeyondViewport": True} if whole else {}
        if whole:
            box = self._call("Page.getLayoutMetrics")["cssContentSize"]
            more["clip"] = {**box, "scale": 1}
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", **more)["data"]))
        return path

    def tree(self) -> list[tuple[str, str]]:
        """(role, name) of everything that a screen reader meets."""
        nodes = self._call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        ]

    def complaints(self) -> list[str]:
        """Script errors, refusals of the page's policy and failed requests since `go`."""
        self._read(0)
        found = []
        for event in self.events:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(json.dumps(params["exceptionDetails"]))
            elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(json.dumps(params["entry"]))
            elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] == "error":
                found.append(json.dumps(params["args"]))
        return found

    def requests(self) -> list[str]:
        """The addresses that were asked for since `go`."""
        self._read(0)
        sent = "Network.requestWillBeSent"
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == sent]


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile, ended afterwards."""
    assert HERE is not None
    to_it, out = os.pipe()
    back, from_it = os.pipe()

    # The browser reads from 3 and writes to 4; a shell lays its own pipes there.
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null',
         HERE, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
         f"--user-data-dir={profile}", "about:blank"],
        stdin=to_it, stdout=from_it, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_it)
    os.close(from_it)
    try:
        yield Browser(process, out, back)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        os.close(out)
        os.close(back)
