"""A real browser without a window, driven by Chromium's DevTools protocol over a pipe: no other package is needed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
)
PATIENCE = 30.0  # seconds
# Chromium drops clicks until a page is painted for the first time.
SHOWN = "document.documentElement.dataset.ready === 'yes' && performance.getEntriesByType('paint').length"
CODES = {"Enter": "\r", "Escape": "", "Backspace": "", "Tab": ""}


def needs_browser() -> str:
    """The path of a Chromium; the test is skipped without one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None or sys.platform == "win32":
        pytest.skip("no Chromium was found")
    return found


class Browser:
    """One tab. Problems (exceptions, blocked requests, messages on the console) are collected."""

    def __init__(self, profile: Path, width: int = 1200, height: int = 800) -> None:
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()

        def connect() -> None:
            """Chromium reads from 3 and writes to 4; both may be in use for something else."""
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 100) for end in (read_there, write_there)]
            for end, place in zip(ends, (3, 4), strict=True):
                os.dup2(end, place)

        self.process = subprocess.Popen(
            [needs_browser(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=connect,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read_there)
        os.close(write_there)
        self.reader, self.writer = os.fdopen(read_here, "rb", 0), os.fdopen(write_here, "wb", 0)
        self.rest, self.numbers, self.events = b"", count(1), list[dict[str, Any]]()
        self.session: str | None = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.resize(width, height)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        message |= {"sessionId": self.session} if self.session else {}
        self.writer.write(json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            data = os.read(self.reader.fileno(), 1 << 20)
            assert data, "the browser has ended"
            self.rest += data
        text, _, self.rest = self.rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def open(self, address: str, fresh: bool = False) -> None:
        """Load a page, without what it remembers if it is to be `fresh`, and wait until it is drawn."""
        # `navigate` answers before the page is replaced: the old one must not be taken for the new one.
        self.js("delete document.documentElement.dataset.ready")
        forget = "sessionStorage.clear()" if fresh else ""
        script = self.send("Page.addScriptToEvaluateOnNewDocument", source=forget)["identifier"]
        self.send("Page.navigate", url=address)
        self.wait(SHOWN)
        self.send("Page.removeScriptToEvaluateOnNewDocument", identifier=script)

    def reload(self) -> None:
        """Load the page again in the same process: what it has just stored is there, as for a person, who is slower."""
        self.js("delete document.documentElement.dataset.ready")
        self.send("Page.reload")
        self.wait(SHOWN)

    def js(self, expression: str) -> Any:
        """The value of an expression."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true, over reloads too."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if self.js(f"Boolean({expression})"):
                    return
            except AssertionError:  # the page is being loaded
                if time.monotonic() > end:
                    raise
            assert time.monotonic() < end, expression
            time.sleep(0.02)

    def place(self, selector: str) -> tuple[float, float]:
        """The middle of the first element of a selector, on the screen."""
        rectangle = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.js(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({rectangle})")
        return x, y

    def click(self, selector: str) -> None:
        """Click on an element, once it no longer moves."""
        before, place = None, self.place(selector)
        while place != before:
            self.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            before, place = place, self.place(selector)
        self.click_at(*place)

    def click_at(self, x: float, y: float) -> None:
        """Click on a place."""
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """One event of the mouse."""
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            text = CODES.get(key, key if len(key) == 1 else "")
            code = {"windowsVirtualKeyCode": 9} if key == "Tab" else {}
            self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **code, **({"text": text} if text else {}))
            self.send("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def resize(self, width: int, height: int) -> None:
        """The size of the window."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def problems(self) -> list[str]:
        """Whatever went wrong since the start."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events if event.get("method") in kinds]

    def requests(self) -> list[str]:
        """The addresses that were requested."""
        sent = (event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent")
        return [params["request"]["url"] for params in sent]

    def close(self) -> None:
        """End the browser."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.reader.close()
        self.writer.close()
