"""What `helm test` runs says which service is not as it should be."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from helm.checks.places import CHART

SCRIPT = CHART / "files" / "reachability.py"
NOT_FOUND = json.dumps({"detail": "No endpoint registered at this path.", "code": "endpoint_not_found"}).encode()
ANSWERS = {
    "/ready": (200, b"{}"),
    "/not-ready": (503, b"{}"),
    "/data/": (404, NOT_FOUND),
    "/other-404/": (404, b'{"message": "no route"}'),
    "/proxy-404/": (404, b"<html>"),
    "/list-404/": (404, b"[]"),
    "/open/": (200, NOT_FOUND),
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("data", "ready", "status"),
    [
        ("/data/", ["/ready", "/ready"], 0),
        ("/data/", ["/ready", "/not-ready"], 1),
        ("/other-404/", ["/ready"], 1),
        ("/proxy-404/", ["/ready"], 1),
        ("/list-404/", ["/ready"], 1),
        ("/open/", ["/ready"], 1),
    ],
)
def test_it_fails_when_one_answer_is_wrong(base: str, data: str, ready: list[str], status: int) -> None:
    # As in the pod: the text is an argument, and no proxy of the environment is asked.
    command = [sys.executable, "-I", "-c", SCRIPT.read_text(), base + data, *(base + path for path in ready)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout.count("FAILED") == status


def test_it_fails_when_nobody_answers() -> None:
    command = [sys.executable, "-I", "-c", SCRIPT.read_text(), "http://127.0.0.1:1/data/", "http://127.0.0.1:1/ready"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.count("FAILED")) == (1, 2)
