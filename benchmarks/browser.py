"""Opens the gallery of the built site in headless Chromium, and compares LiteRT.js with Python.

npm ci --prefix docs/gallery && mkdocs build && python -m benchmarks.browser [--chromium /usr/bin/chromium]

Each signature of each shipped model runs, on inputs drawn here, in the page and in Python's LiteRT interpreter. Prints
the largest difference of each. The page is then used as with a keyboard and a screen reader: every control has a role
and a name in the accessibility tree, the tab key visits all of them in the order of the page, keys draw samples and
move the flow, and their effect is announced. At a phone's width nothing is wider than the screen;
build/gallery-phone.png shows it. Finally, the page says why it cannot run models: if opened as a file, or without its
runtime. Ends with status 1 if a difference is above 1e-3 of its largest magnitude, or any other check fails. Chromium
and Node.js are those of the machine.
"""

import argparse
import base64
import contextlib
import functools
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
SITE = ROOT / "build" / "site"
TOLERANCE = 1e-3

#: Width and height of a phone's screen, in CSS pixels.
PHONE = (360, 740)

#: Roles of controls in the accessibility tree.
CONTROLS = {"button", "checkbox", "combobox", "slider", "spinbutton"}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without logging each request."""

    def log_message(self, *args):
        pass


class Page:
    """A page in headless Chromium, controlled through two pipes by the DevTools protocol.

    Args:
        reader: file to read Chromium's answers from.
        writer: file to write commands to.
    """

    def __init__(self, reader, writer):
        self.reader, self.writer, self.number = reader, writer, 0
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **parameters) -> dict:
        """Calls a method of the protocol and returns its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        while True:
            answer = b""
            while not answer.endswith(b"\0"):
                byte = self.reader.read(1)
                if not byte:
                    raise RuntimeError("Chromium ended.")
                answer += byte
            answer = json.loads(answer[:-1])
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def evaluate(self, expression: str):
        """Returns the value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']['text']}")
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = 120.0):
        """Waits until a JavaScript expression is true, and returns its value.

        Raises:
            TimeoutError: if it does not become true.
        """
        end = time.monotonic() + seconds
        while not (found := self.evaluate(expression)):
            if time.monotonic() > end:
                status = self.evaluate("document.getElementById('gallery-status')?.textContent")
                raise TimeoutError(f"the page did not get so far that {expression}; its status: {status}")
            time.sleep(0.1)
        return found

    def accessible(self, selector: str) -> list[tuple[str, str]]:
        """Returns the role and the name, in the accessibility tree, of each element that a selector finds."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        found = []
        for node in self.call("DOM.querySelectorAll", nodeId=document, selector=selector)["nodeIds"]:
            (told,) = self.call("Accessibility.getPartialAXTree", nodeId=node, fetchRelatives=False)["nodes"]
            found.append(tuple(told.get(key, {}).get("value", "") for key in ("role", "name")))
        return found

    def press(self, key: str, code: int, text: str = "") -> None:
        """Presses a key."""
        what = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **what)
        self.call("Input.dispatchKeyEvent", type="keyUp", **what)


@contextlib.contextmanager
def opened(chromium: str, address: str) -> Iterator[Page]:
    """Yields a page of the built site, at an address of its server or any other address."""
    handler = functools.partial(Quiet, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    (their_input, writer), (reader, their_output) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags += [f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        # Chromium reads from descriptor 3 and writes to descriptor 4.
        shell = ["sh", "-c", f'exec "$0" "$@" 3<&{their_input} 4>&{their_output}', chromium]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([*shell, *flags], pass_fds=(their_input, their_output), **quiet)
        os.close(their_input)
        os.close(their_output)
        try:
            with os.fdopen(reader, "rb") as answers, os.fdopen(writer, "wb") as messages:
                page = Page(answers, messages)
                whole = address if "://" in address else f"http://127.0.0.1:{server.server_port}/{address}"
                page.call("Page.navigate", url=whole)
                yield page
        finally:
            process.terminate()
            process.wait()
            server.shutdown()


def asked(random: np.random.Generator) -> list[dict]:
    """Returns the calls for the page: the model's name, a signature and its inputs, with the outputs of Python."""
    from ai_edge_litert.interpreter import Interpreter

    from keras_gen import shipped

    found = []
    for name, folder in shipped.models().items():
        # A signature's outputs are read before the next one runs.
        for signature in Interpreter(str(folder / "model.tflite")).get_signature_list():
            runner = Interpreter(str(folder / "model.tflite")).get_signature_runner(signature)
            inputs = {}
            for key, details in runner.get_input_details().items():
                shape, dtype = tuple(map(int, details["shape"])), np.dtype(details["dtype"])
                # Levels 0 and 1 are valid in all models, classes and codes at least up to 7; noise lies between 0 and
                # 1, and so may codes that are real numbers.
                if dtype.kind == "i":
                    inputs[key] = random.integers(0, 8, shape).astype(dtype)
                elif key in ("x", "hidden", "source"):
                    inputs[key] = random.integers(0, 2, shape).astype(dtype)
                else:
                    inputs[key] = random.random(shape).astype(dtype)
            outputs = {key: np.array(value).ravel().tolist() for key, value in runner(**inputs).items()}
            inputs = {key: x.ravel().tolist() for key, x in inputs.items()}
            found.append({"model": name, "signature": signature, "inputs": inputs, "outputs": outputs})
    return found


def differences(chromium: str) -> Iterator[tuple[str, bool]]:
    """Yields a line for each output of each signature, and whether it agrees with Python."""
    questions = asked(np.random.default_rng(0))
    (SITE / "gallery" / "check.json").write_text(json.dumps(questions), encoding="utf-8")
    try:
        with opened(chromium, "gallery.html?check=gallery/check.json&seed=3") as page:
            told = json.loads(page.wait("document.getElementById('gallery-found')?.textContent", 300.0))
    finally:
        (SITE / "gallery" / "check.json").unlink()
    for question, found in zip(questions, told, strict=True):
        for key, expected in question["outputs"].items():
            expected = np.array(expected)
            difference = np.max(np.abs(np.array(found[key]) - expected)) / max(np.max(np.abs(expected)), 1e-6)
            line = f"{question['model']:26} {question['signature']:18} {key:14} {difference:.1e}"
            yield line, bool(difference <= TOLERANCE)


def manners(chromium: str) -> Iterator[tuple[str, bool]]:
    """Yields requirements on the page without sight, without a mouse or on a small screen, and whether they hold."""
    with opened(chromium, "gallery.html?seed=5&model=nade-digits&way=0") as page:
        page.wait("document.getElementById('gallery-complete')?.disabled === false")
        said = "document.getElementById('gallery-status').textContent"
        yield "the address names model and seed", page.evaluate(said) == "Eight samples of nade-digits, seed 5."

        controls = "#gallery :is(input, select, button)"
        told = {name: page.accessible(name) for name in (controls, "#gallery canvas", "#gallery [aria-live=polite]")}
        num = len(told[controls])
        yield f"{num} controls have roles", {role for role, _ in told[controls]} == CONTROLS
        yield f"{num} controls have names", all(name for _, name in told[controls])
        yield "canvases are pictures", {role for role, _ in told["#gallery canvas"]} == {"image"}
        yield "pictures have names", all(name for _, name in told["#gallery canvas"])
        yield "what was drawn is said", [role for role, _ in told["#gallery [aria-live=polite]"]] == ["status"] * 3

        every = f"[...document.querySelectorAll('{controls}')]"
        page.evaluate("document.getElementById('gallery-model').focus()")
        page.evaluate(f"window.visited = {every}.map(it => it === document.activeElement ? 0 : -1)")
        for number in range(1, num):
            page.press("Tab", 9)
            page.evaluate(f"visited[{every}.indexOf(document.activeElement)] = {number}")
        yield "the tab key visits them in their order", page.evaluate("visited") == list(range(num))

        page.evaluate("document.getElementById('gallery-seed').value = 6")
        page.evaluate("document.getElementById('gallery-sample').focus()")
        page.press("Enter", 13, "\r")
        page.wait(f"{said} === 'Eight samples of nade-digits, seed 6.'")
        yield "the enter key draws samples", page.evaluate("location.search").find("seed=6") > 0
        page.press("Enter", 13, "\r")
        page.wait(f"{said} === 'Eight samples of nade-digits, seed 7.'")
        yield "the same button draws other samples", page.evaluate("location.search").find("seed=7") > 0
        models = page.evaluate("[...document.getElementById('gallery-model').options].map(it => it.value)")
        for name in models:
            page.evaluate(f"document.getElementById('gallery-model').value = '{name}'")
            page.press("Enter", 13, "\r")
            page.wait(f"{said} === 'Eight samples of {name}, seed 7.'")
        yield f"all {len(models)} models draw", True
        page.evaluate("document.getElementById('gallery-way').focus()")
        page.press("ArrowRight", 39)
        page.wait("location.search.includes('way=1')")
        text = page.evaluate("document.getElementById('gallery-way').getAttribute('aria-valuetext')")
        yield "arrow keys bend the plane", text == "1 % of the way from noise to data"

        width, height = PHONE
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True)
        yield f"nothing is wider than {width} pixels", page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("document.getElementById('gallery-way').value = 100")
        page.evaluate("document.getElementById('gallery-way').dispatchEvent(new Event('input'))")
        page.wait("location.search.includes('way=100')")
        shot = page.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        (ROOT / "build" / "gallery-phone.png").write_bytes(base64.b64decode(shot))


def failures(chromium: str) -> Iterator[tuple[str, bool]]:
    """Yields what the page should say if it cannot run models, and whether it does."""
    status = "document.getElementById('gallery-status')?.textContent"
    with opened(chromium, (SITE / "gallery.html").as_uri()) as page:
        page.wait(f"{status}?.startsWith('A browser runs models only on a page that a server sent')")
        yield "a page that was opened as a file says so", True
    runtime = SITE / "gallery" / "litert"
    hidden = runtime.rename(SITE / "gallery" / "litert-hidden")
    try:
        with opened(chromium, "gallery.html") as page:
            page.wait(f"{status}?.startsWith('The runtime is missing')")
            yield "a page without its runtime says so", True
    finally:
        hidden.rename(runtime)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    chromium = parser.parse_args().chromium
    wrong = 0
    for check in (differences, manners, failures):
        for line, is_right in check(chromium):
            print(line if is_right else f"{line}    WRONG", flush=True)
            wrong += not is_right
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
