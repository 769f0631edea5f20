"""A light HTTP/1.1 load generator: raw sockets, kept alive, each connection sends the next request after an answer.

    python -m benchmarks.load --port 8080 --path /api/v1/data/x --connections 8 --requests 4000

Prints one JSON line: requests, seconds, requests per second, body bytes, latencies in milliseconds (median, p99) and
the statuses seen. It counts bytes and looks at nothing in them.
"""

import argparse
import asyncio
import itertools
import re
import statistics
import sys
import time
from typing import Annotated, cast

import msgspec
import uvloop

from benchmarks.clocks import cpu_seconds

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_HOST = "127.0.0.1"


Positive = Annotated[int, msgspec.Meta(ge=1)]


class LoadReport(msgspec.Struct, kw_only=True):
    """What one target answered; `seconds` of its own turns."""

    requests: int
    seconds: float
    requests_per_s: float
    body_bytes: int
    median_ms: float
    p99_ms: float
    statuses: dict[str, int]
    cpu_us: float | None
    """CPU time of the target's process per request, what it did between its turns included."""


class _Connection(asyncio.Protocol):
    """One kept-alive connection: sends, counts the answer's bytes, sends again while its side has the turn."""

    def __init__(self, side: "_Side") -> None:
        self._side = side
        self._head = b""
        self._left = -1
        self._tail = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not registered as asyncio's

    def send(self) -> None:
        request = self._side.next_request()
        if request is None or self._transport is None:
            return
        self._head, self._left, self._tail = b"", -1, b""
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, received: bytes) -> None:
        side = self._side
        if self._left == -1:
            self._head += received
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            status = self._head[9:12].decode()
            side.statuses[status] = side.statuses.get(status, 0) + 1
            length = _LENGTH.search(self._head, 0, end)
            received = self._head[end + 4 :]
            self._left = int(length.group(1)) if length else -2
        side.body_bytes += len(received)
        if self._left >= 0:
            self._left -= len(received)
            done = self._left == 0
        else:
            self._tail = (self._tail + received)[-len(_LAST_CHUNK) :]
            done = self._tail == _LAST_CHUNK
        if done:
            side.answered(time.perf_counter() - self._sent_at)
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._side.connection_lost(exc)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Side:
    """One server and what is asked of it; it is idle but for its turns."""

    def __init__(self, target: "Target") -> None:
        self._target = target
        self._requests = itertools.cycle([request_bytes(path, target.headers) for path in target.paths])
        self._connections: list[_Connection] = []
        self._unsent = 0
        self._unanswered = 0
        self._over: asyncio.Future[None] | None = None
        self._lost: ConnectionError | None = None
        self._seconds = 0.0
        self._cpu_s: float | None = None
        self._latencies_ms: list[float] = []
        self.statuses: dict[str, int] = {}
        self.body_bytes = 0

    def begin(self) -> None:
        """Count from here."""
        self._seconds = 0.0
        self._latencies_ms = []
        self.statuses = {}
        self.body_bytes = 0
        self._cpu_s = self._cpu_seconds()

    async def connect(self, count: int) -> None:
        """Open `count` connections."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, connection = await loop.create_connection(lambda: _Connection(self), _HOST, self._target.port)
            self._connections.append(connection)

    async def take_turn(self, requests: int) -> None:
        """Ask `requests` times and wait for all answers. Raises `ConnectionError`, also for one lost before."""
        if self._lost is not None:
            raise self._lost
        self._unsent = self._unanswered = requests
        self._over = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        for connection in self._connections:
            connection.send()
        await self._over
        self._seconds += time.perf_counter() - started

    def next_request(self) -> bytes | None:
        if self._unsent == 0:
            return None
        self._unsent -= 1
        return next(self._requests)

    def answered(self, seconds: float) -> None:
        self._latencies_ms.append(seconds * 1000)
        self._unanswered -= 1
        if self._unanswered == 0 and self._over is not None and not self._over.done():
            self._over.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = ConnectionError(f"port {self._target.port} closed a connection: {error}")
        if self._over is not None and not self._over.done():
            self._over.set_exception(self._lost)

    def report(self) -> "LoadReport":
        latencies = sorted(self._latencies_ms) or [0.0]
        cpu_s = self._cpu_seconds()
        return LoadReport(
            requests=len(self._latencies_ms),
            seconds=round(self._seconds, 3),
            requests_per_s=round(len(self._latencies_ms) / self._seconds, 1),
            body_bytes=self.body_bytes,
            median_ms=round(statistics.median(latencies), 3),
            p99_ms=round(latencies[int(len(latencies) * 0.99)], 3),
            statuses=self.statuses,
            cpu_us=None if cpu_s is None or self._cpu_s is None else (cpu_s - self._cpu_s) * 1e6 / len(latencies),
        )

    def _cpu_seconds(self) -> float | None:
        return None if self._target.pid is None else cpu_seconds(self._target.pid)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def request_bytes(path: str, headers: list[str]) -> bytes:
    """A GET as a consumer's HTTP library would send it, more or less."""
    lines = [f"GET {path} HTTP/1.1", "Host: gateway.example", "Accept: application/json", "User-Agent: bench/1"]
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode("ascii")


class Target(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One server on this machine; `paths` are taken in turn. With `pid` its CPU time is reported."""

    port: int
    pid: int | None = None
    paths: list[str]
    headers: list[str] = []


class LoadOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One load to run: `requests` to each target, over `connections` of its own, after `warm_up` that do not count.

    Two targets take turns of `turn` requests, A B B A A B B A and so on: never both at once.
    """

    targets: list[Target]
    connections: Positive = 8
    requests: Positive = 4_000
    turn: Positive = 4_000
    warm_up: int = 0


async def run_load(order: LoadOrder) -> list[LoadReport]:
    """Run one load: a report for each target. Raises `OSError`."""
    sides = [_Side(target) for target in order.targets]
    try:
        for side in sides:
            await side.connect(order.connections)
        if order.warm_up:
            for side in sides:
                await side.take_turn(order.warm_up)
        for side in sides:
            side.begin()
        left, in_turn = order.requests, sides
        while left:
            count = min(order.turn, left)
            for side in in_turn:
                await side.take_turn(count)
            left, in_turn = left - count, in_turn[::-1]
        return [side.report() for side in sides]
    finally:
        for side in sides:
            side.close()


def main() -> None:
    """Run one load from the command line, or, with --orders, one per line of JSON on standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", action="store_true", help="read orders from standard input until it ends")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--path", action="append", default=[], help="may be given several times: taken in turn")
    parser.add_argument("--header", action="append", default=[], help='"Name: value"')
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--requests", type=int, default=4_000)
    options = parser.parse_args()
    if options.orders:
        for line in sys.stdin:
            order = msgspec.json.decode(line, type=LoadOrder)
            print(msgspec.json.encode(uvloop.run(run_load(order))).decode(), flush=True)
        return
    target = Target(port=options.port, paths=options.path, headers=options.header)
    order = LoadOrder(
        targets=[target], connections=options.connections, requests=options.requests, turn=options.requests
    )
    print(msgspec.json.encode(uvloop.run(run_load(order))[0]).decode())


if __name__ == "__main__":
    main()
