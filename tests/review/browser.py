"""A headless Chromium, told what to do over its own debugging pipe."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

#: Seconds after which a page is taken for broken.
LONGEST_LOAD_S = 120.0


class Page:
    """One tab."""

    def __init__(self, out: int, into: int) -> None:
        self._out, self._into = out, into
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)

    def call(self, method: str, *, strict: bool = True, **params: Any) -> dict[str, Any]:
        """One command, answered."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer or not strict, answer
                return answer.get("result", {})

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            block = os.read(self._into, 1 << 16)
            assert block, "the browser is gone"
            self._rest += block
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _is_loaded(self) -> None:
        """Wait until the page that was marked is gone and another one is there."""
        end = time.monotonic() + LONGEST_LOAD_S
        while not self.ask("!window.isOld && location.href !== 'about:blank' && document.readyState === 'complete'"):
            assert time.monotonic() < end, "the page does not load"
            time.sleep(0.05)

    def open(self, url: str) -> None:
        self.ask("window.isOld = true")
        self.call("Page.navigate", url=url)
        self._is_loaded()

    def ask(self, expression: str) -> Any:
        """The value of an expression; None while a page goes."""
        answer = self.call("Runtime.evaluate", strict=False, expression=expression, returnByValue=True)
        return answer.get("result", {}).get("value")

    def press(self, key: str, *, shift: bool = False, loads: bool = False) -> None:
        """A key; with `loads`, one that leads to another page."""
        if loads:
            self.ask("window.isOld = true")
        named = {"Enter": ("\r", 13), "Tab": ("", 9)}
        text, code = named.get(key, (key if len(key) == 1 else "", 0))
        for kind in ("keyDown", "keyUp"):
            params = {"type": kind, "key": key, "modifiers": 8 if shift else 0, "windowsVirtualKeyCode": code}
            if kind == "keyDown" and text:
                params["text"] = text
            self.call("Input.dispatchKeyEvent", strict=False, **params)
        if loads:
            self._is_loaded()

    def type(self, words: str) -> None:
        self.call("Input.insertText", text=words)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A fresh browser with one tab."""
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    command = [
        str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    # The browser reads from descriptor 3 and writes to 4.
    process = subprocess.Popen(
        ["bash", "-c", f"exec {shlex.join(command)} 3<&{their_in} 4>&{their_out}"],
        pass_fds=(their_in, their_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_in)
    os.close(their_out)
    try:
        yield Page(our_out, our_in)
    finally:
        process.terminate()
        process.wait(30)
        os.close(our_out)
        os.close(our_in)
