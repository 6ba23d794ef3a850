"""Drives a headless Chromium through its DevTools protocol, one page at a time.

The protocol is JSON over a WebSocket: commands with numbers, replies with the same
number, and events in between. Source: chromedevtools.github.io/devtools-protocol.
"""

import base64
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = (
    "/usr/lib/chromium/chromium-headless-shell",
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
)
START_S = 30.0
REPLY_S = 30.0
END_S = 10.0
# Between two commands nobody reads: events may wait, and nobody answers pings.
LINK: dict[str, Any] = {
    "max_size": 64 << 20,
    "max_queue": None,
    "ping_interval": None,
    "proxy": None,
}
PORT_FILE = "DevToolsActivePort"
# Without these a browser asks its maker for updates, or wants rights of its own.
FLAGS = (
    "--headless",
    "--remote-debugging-port=0",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
)


@functools.cache
def missing() -> str | None:
    """Say what the page tier lacks here; None if it can run."""
    if _found() is None:
        return "no Chromium on the search path (`make tools` installs one)"
    return None


def _found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[str]:
    """Run a browser with a profile of its own; give the address of its protocol."""
    path = _found()
    assert path is not None, missing()
    # Chromium's sandbox needs rights that root in a container does not have.
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [path, *flags, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield _address(Path(profile) / PORT_FILE, process)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: what is on the search path may be a script around it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(10)
    end = time.monotonic() + END_S
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(process.pid, 0)
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)


def _address(told: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        lines = told.read_text().splitlines() if told.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.02)
    message = f"Chromium did not start within {START_S:g} s ({process.poll()})"
    raise AssertionError(message)


class Page:
    """One tab: what it asked for and complained about is kept as it happens.

    `requests` are the addresses of all requests, `complaints` what the console and the
    browser itself said, uncaught errors and policy violations included.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._socket = socket
        self._number = 0
        self._session = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._target = target
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Give a command and return its result; events on the way are kept."""
        self._number += 1
        asked: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            asked["sessionId"] = self._session
        self._socket.send(json.dumps(asked))
        while True:
            told = json.loads(self._socket.recv(timeout=REPLY_S))
            if told.get("id") == self._number:
                assert "error" not in told, f"{method}: {told['error']}"
                return dict(told["result"])
            self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        params = told.get("params", {})
        match told.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"]))
            case "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled":
                self.complaints.append(json.dumps(params["args"]))

    def open(self, url: str) -> None:
        """Go to an address and wait until the document is there."""
        self.send("Page.navigate", url=url)
        self.until("location.protocol == 'http:' && document.readyState == 'complete'")

    def ask(self, expression: str) -> Any:
        """Return the value of an expression, awaited if it is a promise."""
        told = self.send(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, expression: str, limit_s: float = 20.0) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + limit_s
        while not self.ask(f"Boolean({expression})"):
            assert time.monotonic() < end, f"not within {limit_s:g} s: {expression}"
            time.sleep(0.05)

    def size(self, width: int, height: int) -> None:
        """Set the size of the view, in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, **features: str) -> None:
        """Set what the reader prefers, such as `color_scheme="dark"`."""
        told = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value}
            for name, value in features.items()
        ]
        self.send("Emulation.setEmulatedMedia", features=told)

    def picture(self, path: Path) -> None:
        """Save what is in view as PNG."""
        shot = self.send("Page.captureScreenshot", format="png")["data"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot))

    def close(self) -> None:
        """Close the tab."""
        self._session = ""
        self.send("Target.closeTarget", targetId=self._target)


@contextmanager
def page(address: str) -> Iterator[Page]:
    """Open a tab of a running browser, and close it."""
    with connect(address, **LINK) as socket:
        tab = Page(socket)
        yield tab
        tab.close()
