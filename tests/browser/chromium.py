"""A small driver of headless Chromium: DevTools messages over two pipes, with the standard library alone."""

import fcntl
import itertools
import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
)
PATIENCE = 30.0  # seconds until an answer or a condition counts as missing
CODES = {"Backspace": 8, "Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39}


class Chromium:
    """One browser process; messages are JSON, ended by a zero byte, on its file descriptors 3 and 4."""

    def __init__(self, program: str, profile: Path) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_read, to_write)]  # clear of 3 and 4

        def place() -> None:
            os.dup2(theirs[0], 3)
            os.dup2(theirs[1], 4)

        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=place,
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_read, to_write, *theirs):
            os.close(end)
        self._ids, self._lock = itertools.count(1), threading.Lock()
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        rest = b""
        while chunk := os.read(self._read, 1 << 20):
            *whole, rest = (rest + chunk).split(b"\0")
            for text in whole:
                message = json.loads(text)
                if "id" in message:
                    if waiting := self._answers.pop(message["id"], None):
                        waiting.put(message)
                    continue
                self.events.append(message)
                if message["method"] == "Page.javascriptDialogOpening":  # "Leave this page?" - yes
                    self._post("Page.handleJavaScriptDialog", {"accept": True}, message.get("sessionId"))

    def _post(self, method: str, params: dict[str, Any], session: str | None) -> queue.Queue[dict[str, Any]]:
        number, answer = next(self._ids), queue.Queue[dict[str, Any]]()
        self._answers[number] = answer
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        with self._lock:
            while data:
                data = data[os.write(self._write, data) :]
        return answer

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result."""
        answer = self._post(method, params, session).get(timeout=PATIENCE)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def close(self) -> None:
        """Close the browser, by force if it hangs."""
        self._post("Browser.close", {}, None)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._write)


class Page:
    """A page of a profile of its own, so that nothing is shared with another test."""

    def __init__(self, browser: Chromium, downloads: Path, context: str | None = None) -> None:
        self.browser, self.downloads = browser, downloads
        self.context = context or browser.send("Target.createBrowserContext")["browserContextId"]
        target = browser.send("Target.createTarget", url="about:blank", browserContextId=self.context)
        self.session = browser.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)[
            "sessionId"
        ]
        browser.send(
            "Browser.setDownloadBehavior",
            behavior="allow",
            browserContextId=self.context,
            downloadPath=str(downloads),
            eventsEnabled=True,
        )
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.send(f"{domain}.enable")
        self.resize(1280, 720)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to this page."""
        return self.browser.send(method, self.session, **params)

    def events(self, method: str) -> list[dict[str, Any]]:
        """Parameters of the events of one kind so far."""
        return [
            event["params"]
            for event in list(self.browser.events)
            if event["method"] == method and event.get("sessionId") == self.session
        ]

    def resize(self, width: int, height: int, *, touch: bool = False) -> None:
        """Give the window a size in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touch,
        )

    def open(self, url: str) -> float:
        """Open a page; seconds until it has loaded and painted."""
        before, start = len(self.events("Page.loadEventFired")), time.perf_counter()
        self.send("Page.navigate", url=url)
        self.wait(lambda: len(self.events("Page.loadEventFired")) > before)
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        return time.perf_counter() - start

    def reload(self) -> None:
        """Reload, and say yes if the page asks."""
        before = len(self.events("Page.loadEventFired"))
        self.send("Page.reload")
        self.wait(lambda: len(self.events("Page.loadEventFired")) > before)

    def run(self, script: str) -> Any:
        """Value of an expression, awaited if it is a promise."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: Callable[[], Any] | str) -> Any:
        """Wait until a function, or an expression within the page, is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := self.run(condition) if isinstance(condition, str) else condition():
                return found
            time.sleep(0.01)
        raise AssertionError(f"never became true: {condition}")

    def press(self, *keys: str) -> None:
        """Press and release keys, as a keyboard does."""
        for name in keys:
            text = "\r" if name == "Enter" else name if len(name) == 1 else ""
            code = CODES.get(name, ord(name.upper()) if len(name) == 1 else 0)
            event = {"key": name, "windowsVirtualKeyCode": code, "text": text}
            self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **event)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        box = self.run(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])({_one(selector)}.getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def text(self, selector: str) -> str:
        """Visible text of an element."""
        return str(self.run(f"{_one(selector)}.innerText"))

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in a file input."""
        found = self.send("Runtime.evaluate", expression=_one(selector))["result"]["objectId"]
        self.send("DOM.setFileInputFiles", files=[str(file)], objectId=found)

    def finished_downloads(self) -> int:
        """How many downloads of the browser are complete; the file alone may still be an empty place-holder."""
        events = [e["params"] for e in list(self.browser.events) if e["method"] == "Browser.downloadProgress"]
        return sum(event["state"] == "completed" for event in events)

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        import base64

        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


def _one(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"
