"""A data-plane process under test, and plain sockets to talk to it."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import msgspec
import psutil

from tests.support import loopback

LogLine = dict[str, object]


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class NodeProcess:
    """One `querygateway data-plane`."""

    def __init__(self, environ: dict[str, str], port: int, ops_port: int, log_path: Path) -> None:
        self.port = port
        self.ops_port = ops_port
        self.log_path = log_path
        self._log = log_path.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "data-plane"],
            env={"PATH": os.environ["PATH"], **environ},
            stdout=self._log,
            stderr=self._log,
        )
        self.client = loopback.client(f"http://127.0.0.1:{port}/api/v1/data/")

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log_path.read_text()
            if loopback.status_of(f"http://127.0.0.1:{self.ops_port}/-/ready") == 200:
                return
            time.sleep(0.02)
        raise AssertionError("not ready: " + self.log_path.read_text())

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(15)
        finally:
            self.process.kill()
            self.process.wait()
            self._log.close()

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET a path below /api/v1/data/; underscores in header names become dashes."""
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def raw(self, request: bytes, timeout_s: float = 10.0) -> bytes:
        """Send bytes, and read until the server closes or is silent for a second after something came."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            connection.sendall(request)
            answer = b""
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while received := connection.recv(65_536):
                    answer += received
                    connection.settimeout(1.0)
            return answer

    def connect(self, path: str, receive_buffer: int | None = None) -> socket.socket:
        """A connection on which a GET was sent."""
        connection = socket.socket()
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(f"GET /api/v1/data/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return connection

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far, in steps of 10 ms."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = loopback.get(f"http://127.0.0.1:{self.ops_port}/-/metrics").text
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? ([0-9.e+-]+)$", text, re.MULTILINE))

    def log_lines(self) -> list[LogLine]:
        return [msgspec.json.decode(line, type=LogLine) for line in self.log_path.read_bytes().splitlines()]

    def wait_for_line(self, timeout_s: float = 10.0, **fields: object) -> LogLine:
        """The newest line with these fields, when it comes."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for line in reversed(self.log_lines()):
                if all(line.get(name) == value for name, value in fields.items()):
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no line with {fields}; last: {self.log_lines()[-3:]}")


def chunked_end(answer: bytes) -> bool:
    """Whether a chunked answer ended as it should."""
    return answer.endswith(b"\r\n0\r\n\r\n")
