"""A real service process: two listeners, drain and stop, disconnects, and what happens to bad bytes."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qg_devstack.servers.ports import free_port

SCRIPT = Path(__file__).with_name("served_process.py")
TIMEOUT_S = 20.0

StartServed = Callable[..., "Served"]


class Served:
    """One started process, its ports and the lines it has printed."""

    def __init__(self, port: int, ops_port: int, *, grace_s: float, connections_max: int, idle_ms: int) -> None:
        self.port, self.ops_port = port, ops_port
        arguments = [port, ops_port, grace_s, connections_max, idle_ms]
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.lines: list[str] = []
        self._rest = b""

    def wait_for(self, text: str, timeout_s: float = TIMEOUT_S) -> str:
        """The first line that holds `text`; fails when it doesn't come."""
        deadline = time.monotonic() + timeout_s
        while True:
            for line in self.lines:
                if text in line:
                    return line
            assert self.process.stdout is not None
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert chunk, f"{text!r} did not come; got {self.lines}"
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            self.lines += [line.decode() for line in whole]

    def connect(self, port: int | None = None) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", port or self.port), timeout=TIMEOUT_S)
        found.settimeout(TIMEOUT_S)
        return found

    def ask(self, path: str, *, connection: socket.socket | None = None, port: int | None = None) -> bytes:
        """One GET; everything that came back with the first packet."""
        used = connection or self.connect(port)
        used.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        answer = used.recv(65536)
        if connection is None:
            used.close()
        return answer


@pytest.fixture
def start() -> Iterator[StartServed]:
    started: list[Served] = []

    def start_one(
        *,
        grace_s: float = 5,
        connections_max: int = 64,
        idle_ms: int = 75_000,
        ports: tuple[int, int] | None = None,
    ) -> Served:
        port, ops_port = ports or (free_port(), free_port())
        served = Served(port, ops_port, grace_s=grace_s, connections_max=connections_max, idle_ms=idle_ms)
        started.append(served)
        return served

    yield start_one
    for served in started:
        with contextlib.suppress(ProcessLookupError):
            served.process.kill()
        served.process.wait(TIMEOUT_S)
        if served.process.stdout is not None:
            served.process.stdout.close()


def answering(served: Served) -> Served:
    served.wait_for("started")
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if served.ask("/") and served.ask("/", port=served.ops_port):
                return served
        time.sleep(0.02)
    raise AssertionError("does not answer")


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_one_process_serves_both_listeners(start: StartServed) -> None:
    served = answering(start())
    assert served.ask("/a%2Fb//c/").endswith(b"\r\n\r\n/a%2Fb//c/")
    assert served.ask("/", port=served.ops_port).endswith(b"ops")
    assert children_of(served.process.pid) == []


def test_kill_9_ends_the_service_and_frees_the_port_at_once(start: StartServed) -> None:
    served = answering(start())
    held = served.connect()
    assert b"200" in served.ask("/", connection=held)
    served.process.kill()
    served.process.wait(TIMEOUT_S)
    with pytest.raises(ConnectionRefusedError):
        served.connect()
    again = answering(start(ports=(served.port, served.ops_port)))
    assert b"200" in again.ask("/")
    held.close()


def test_a_port_in_use_is_refused_instead_of_shared(start: StartServed) -> None:
    served = answering(start())
    second = start(ports=(served.port, served.ops_port))
    assert "can't listen" in second.wait_for("refused")
    assert second.process.wait(TIMEOUT_S) == 3


def test_sigusr1_drains_and_sigterm_stops(start: StartServed) -> None:
    served = answering(start(grace_s=10))
    kept, idle, slow = served.connect(), served.connect(), served.connect()
    assert b"connection: close" not in served.ask("/", connection=kept).lower()
    assert b"200" in served.ask("/", connection=idle)
    slow.sendall(b"GET /sleep/2 HTTP/1.1\r\nhost: x\r\n\r\n")
    served.wait_for("sleeping /sleep/2")

    served.process.send_signal(signal.SIGUSR1)
    served.wait_for("draining SIGUSR1")
    # draining: not ready, still serving, telling clients to go; a second word changes nothing
    served.process.send_signal(signal.SIGUSR1)
    assert b" 503 " in served.ask("/", port=served.ops_port)
    answer = served.ask("/", connection=kept).lower()
    assert b" 200 " in answer
    assert answer.count(b"connection:") == 1
    assert b"connection: close" in answer
    assert kept.recv(10) == b""
    assert b" 200 " in served.ask("/")
    # then no new connection, the idle one closed, the running request finished
    served.process.send_signal(signal.SIGTERM)
    assert idle.recv(10) == b""
    assert b" 200 " in slow.recv(65536)
    assert "dropped=0" in served.wait_for("outcome SIGTERM")
    assert served.process.wait(TIMEOUT_S) == 0
    with pytest.raises(ConnectionRefusedError):
        served.connect()


def test_a_request_that_outlasts_the_grace_period_is_dropped_and_counted(start: StartServed) -> None:
    served = answering(start(grace_s=0.5))
    stuck = served.connect()
    stuck.sendall(b"GET /block HTTP/1.1\r\nhost: x\r\n\r\n")
    served.ask("/")
    started = time.monotonic()
    served.process.send_signal(signal.SIGTERM)
    assert "dropped=1" in served.wait_for("outcome")
    assert served.process.wait(TIMEOUT_S) == 0
    assert time.monotonic() - started < 5
    stuck.close()


def test_a_second_signal_skips_the_waiting(start: StartServed) -> None:
    served = answering(start(grace_s=60))
    stuck = served.connect()
    stuck.sendall(b"GET /sleep/60 HTTP/1.1\r\nhost: x\r\n\r\n")
    served.wait_for("sleeping")
    served.process.send_signal(signal.SIGTERM)
    served.wait_for("draining")
    served.process.send_signal(signal.SIGINT)
    started = time.monotonic()
    assert served.process.wait(TIMEOUT_S) == 0
    assert time.monotonic() - started < 5


def test_a_client_that_goes_away_is_told_to_the_application(start: StartServed) -> None:
    served = answering(start())
    leaving = served.connect()
    leaving.sendall(b"GET /until-gone HTTP/1.1\r\nhost: x\r\n\r\n")
    served.ask("/")
    leaving.close()
    served.wait_for("received http.disconnect")


def test_an_application_error_is_a_500_and_the_service_lives_on(start: StartServed) -> None:
    served = answering(start())
    answer = served.ask("/boom")
    assert b" 500 " in answer
    assert b"nobody foresaw" not in answer
    assert b" 200 " in served.ask("/")


def test_repeated_headers_arrive_as_sent(start: StartServed) -> None:
    served = answering(start())
    connection = served.connect()
    connection.sendall(b"GET /headers HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nauthorization: b\xff\r\n\r\n")
    answer = connection.recv(65536)
    assert b"authorization=b'a'" in answer
    assert b"authorization=b'b\\xff'" in answer
    connection.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x: " + b"a" * 90_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x: a\r\n" * 150 + b"\r\n", b"431"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"4"),
        (b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na", b"400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""),
    ],
)
def test_bad_bytes_are_refused_below_the_application(start: StartServed, sent: bytes, status: bytes) -> None:
    served = answering(start())
    with served.connect() as connection:
        connection.sendall(sent)
        try:
            answer = connection.recv(65536)
        except ConnectionResetError:  # refused before everything was read
            answer = b"HTTP/1.1 " + status
        assert answer == b"" if not status else answer.startswith(b"HTTP/1.1 " + status)
    assert b" 200 " in served.ask("/")


def test_more_connections_than_allowed_wait_their_turn(start: StartServed) -> None:
    served = answering(start(connections_max=2))
    first, second = served.connect(), served.connect()
    for connection in (first, second):
        assert b"200" in served.ask("/", connection=connection)
    third = served.connect()
    third.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert select.select([third], [], [], 0.3)[0] == []
    first.close()
    assert b"200" in third.recv(65536)
    second.close()
    third.close()


def test_connections_that_send_no_request_are_closed(start: StartServed) -> None:
    served = answering(start(idle_ms=300))
    kept, silent, halting = served.connect(), served.connect(), served.connect()
    assert b"200" in served.ask("/", connection=kept)
    halting.sendall(b"GET / HTTP/1.1\r\nhost:")
    for connection in (kept, silent, halting):
        assert connection.recv(100) == b""
        connection.close()


def read_all(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 20):
            found += chunk
    return found


@pytest.mark.parametrize("path", ["/unfinished", "/broken"])
def test_an_answer_that_was_begun_and_not_finished_has_no_final_chunk(start: StartServed, path: str) -> None:
    served = answering(start())
    connection = served.connect()
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    answer = read_all(connection)
    assert b"transfer-encoding: chunked" in answer
    assert answer.endswith(b"4\r\nhalf\r\n")
    assert b" 200 " in served.ask("/")


def test_a_slow_reader_holds_up_its_own_request_only(start: StartServed) -> None:
    served = answering(start())
    slow = served.connect()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    slow.sendall(b"GET /megabytes HTTP/1.1\r\nhost: x\r\n\r\n")
    served.wait_for("handed over 0")
    for _ in range(20):
        assert b" 200 " in served.ask("/")
    with contextlib.suppress(AssertionError):  # collects what was printed so far; such a line never comes
        served.wait_for("nothing", timeout_s=0.3)
    handed_over = len([line for line in served.lines if "handed over" in line])
    assert handed_over < 20, "send() must wait for the client, or a slow one would fill our memory"
    assert read_all_of_answer(slow) > 50_000_000


def read_all_of_answer(connection: socket.socket) -> int:
    size = 0
    tail = b""
    while not tail.endswith(b"\r\n0\r\n\r\n"):
        chunk = connection.recv(1 << 20)
        assert chunk, "ended too early"
        size += len(chunk)
        tail = (tail + chunk)[-16:]
    return size


def test_a_client_that_leaves_in_the_middle_of_an_answer_is_no_failure(start: StartServed) -> None:
    served = answering(start())
    leaving = served.connect()
    leaving.sendall(b"GET /megabytes HTTP/1.1\r\nhost: x\r\n\r\n")
    served.wait_for("handed over 0")
    leaving.close()
    served.wait_for("handed over 49")
    assert b" 200 " in served.ask("/")
