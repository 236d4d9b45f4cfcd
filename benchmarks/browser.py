"""Opens the gallery of the built site in headless Chromium, and compares what LiteRT.js computes with Python.

npm ci --prefix docs/gallery && mkdocs build && python -m benchmarks.browser [--chromium /usr/bin/chromium]

Each signature of each model that ships runs in the page on inputs that are drawn here, and in the LiteRT interpreter of
Python. Prints the largest difference of each, and ends with status 1 if one is
above 1e-3 of its largest magnitude. Chromium and Node.js are those of the machine.
"""

import argparse
import functools
import html
import http.server
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
SITE = ROOT / "build" / "site"
TOLERANCE = 1e-3


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *args):
        pass


def asked(random: np.random.Generator) -> list[dict]:
    """Returns what the page is to run: the model's name, a signature and its inputs, with the outputs of Python."""
    from ai_edge_litert.interpreter import Interpreter

    from keras_gen import shipped

    found = []
    for name, folder in shipped.models().items():
        # A signature's outputs are read before the next one runs.
        for signature in Interpreter(str(folder / "model.tflite")).get_signature_list():
            runner = Interpreter(str(folder / "model.tflite")).get_signature_runner(signature)
            inputs = {}
            for key, details in runner.get_input_details().items():
                shape = tuple(map(int, details["shape"]))
                # Levels 0 and 1 are valid in all of them; noise and codes lie between 0 and 1.
                values = random.random(shape) if key not in ("x", "hidden", "source") else random.integers(0, 2, shape)
                inputs[key] = values.astype(np.float32)
            outputs = {key: np.array(value).ravel().tolist() for key, value in runner(**inputs).items()}
            inputs = {key: {"values": x.ravel().tolist(), "shape": list(x.shape)} for key, x in inputs.items()}
            found.append({"model": name, "signature": signature, "inputs": inputs, "outputs": outputs})
    return found


def answers(chromium: str, questions: list[dict]) -> list[dict]:
    """Returns what the page found."""
    (SITE / "gallery" / "check.json").write_text(json.dumps(questions), encoding="utf-8")
    handler = functools.partial(Quiet, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tempfile.TemporaryDirectory() as profile:
            flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
            flags += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
            address = f"http://127.0.0.1:{server.server_port}/gallery.html?check=gallery/check.json&seed=3"
            command = [chromium, *flags, f"--user-data-dir={profile}", "--virtual-time-budget=120000", "--dump-dom"]
            done = subprocess.run([*command, address], capture_output=True, text=True, timeout=300, check=True)
    finally:
        server.shutdown()
        (SITE / "gallery" / "check.json").unlink()
    told = re.search(r'<pre id="gallery-found">(.*?)</pre>', done.stdout, re.DOTALL)
    if told is None:
        status = re.search(r'<p id="gallery-status"[^>]*>(.*?)</p>', done.stdout, re.DOTALL)
        raise RuntimeError(f"the page did not finish: {status.group(1) if status else done.stderr[-500:]}")
    return json.loads(html.unescape(told.group(1)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    questions = asked(np.random.default_rng(0))
    wrong = 0
    for question, found in zip(questions, answers(parser.parse_args().chromium, questions), strict=True):
        for key, expected in question["outputs"].items():
            expected = np.array(expected)
            difference = np.max(np.abs(np.array(found[key]) - expected)) / max(np.max(np.abs(expected)), 1e-6)
            wrong += difference > TOLERANCE
            print(f"{question['model']:26} {question['signature']:18} {key:14} {difference:.1e}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
