"""A headless Chromium driven through a pipe, with the standard library alone: enough to point, type, read and look.

The browser's DevTools protocol is JSON, each message ended by a zero byte, on file descriptors 3 (in) and 4 (out).
"""

import base64
import fcntl
import json
import os
import resource
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 60  # seconds for one answer, on a busy machine
KEYS = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Home": 36,
    "End": 35,
    "Tab": 9,
    " ": 32,
    "+": 187,
    "-": 189,
}


def installed():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def reason_to_skip():
    """Why no browser can be used here, or an empty text."""
    if installed() is None:
        return "no Chromium is installed (apt-get install chromium)"
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < 2 * 2**40:
        return "ulimit -v is set: Chromium reserves more address space than that"
    return ""


class Browser:
    """One browser; use as a context manager."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="convcli-browser-")
        reads, self.write_end = os.pipe()
        self.read_end, writes = os.pipe()
        # High numbers first, so that putting one on 3 never overwrites the other.
        reads_high, writes_high = (fcntl.fcntl(each, fcntl.F_DUPFD, 20) for each in (reads, writes))
        program = installed()
        arguments = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={self.folder}",
            "about:blank",
        ]  # fmt: skip
        quiet = os.open(os.devnull, os.O_WRONLY)
        self.process = os.posix_spawn(
            program, arguments, {**os.environ, "HOME": self.folder},
            file_actions=[(os.POSIX_SPAWN_DUP2, reads_high, 3), (os.POSIX_SPAWN_DUP2, writes_high, 4),
                          (os.POSIX_SPAWN_DUP2, quiet, 2)], setpgroup=0,
        )  # fmt: skip
        for each in (reads, writes, reads_high, writes_high, quiet):
            os.close(each)
        self.buffer, self.number, self.session, self.complaints = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        os.close(self.write_end)
        os.close(self.read_end)
        for patience in (50, 0):
            for _ in range(patience):
                if os.waitpid(self.process, os.WNOHANG)[0]:
                    break
                time.sleep(0.1)
            else:
                os.killpg(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)
            break
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, **parameters):
        """Send one command and wait for its answer; what happens meanwhile is noted."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._note(answer)

    def _receive(self):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_end], [], [], PATIENCE)
            assert ready, "the browser does not answer"
            data = os.read(self.read_end, 1 << 16)
            assert data, "the browser has gone"
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event):
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"])
        elif event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append(parameters["args"])
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"])

    def open(self, path, *, width=1400, height=900, dark=False, fragment=""):
        """Load a file in a window of a size, in light or dark."""
        self.visit(Path(path).resolve().as_uri() + fragment, width=width, height=height, dark=dark)

    def visit(self, url, *, width=1400, height=900, dark=False):
        """Load an address in a window of a size, in light or dark."""
        self.resize(width, height)
        self.prefer(dark)
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.protocol !== 'about:'")

    def resize(self, width, height):
        """Give the window another size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, dark):
        """Let the system prefer dark, or light."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def evaluate(self, expression):
        """The value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, condition):
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.evaluate(condition):
                return
            time.sleep(0.02)
        raise AssertionError(f"waited in vain for {condition}")

    def point(self, x, y):
        """Move the mouse to a place in the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x, y):
        """Press and release the left button."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def drag(self, *places):
        """Press the left button at the first place, go to the others, and release it."""
        self.call("Input.dispatchMouseEvent", type="mousePressed", **_at(places[0]), button="left", clickCount=1)
        for place in places[1:]:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", **_at(place), button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **_at(places[-1]), button="left", clickCount=1)

    def press(self, key):
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=KEYS[key], **text)

    def screenshot(self, path, *, whole=True):
        """Save a PNG of the page, or of what the window shows."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(picture["data"]))


def _at(place):
    return {"x": place[0], "y": place[1]}
