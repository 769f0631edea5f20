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
from typing import cast

import msgspec
import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"


class LoadReport(msgspec.Struct, kw_only=True):
    """What one run saw."""

    requests: int
    seconds: float
    requests_per_s: float
    body_bytes: int
    median_ms: float
    p99_ms: float
    statuses: dict[str, int]


class _Connection(asyncio.Protocol):
    """One kept-alive connection: sends, counts the answer's bytes, sends again."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._head = b""
        self._left = -1
        self._tail = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not registered as asyncio's
        self._send()

    def _send(self) -> None:
        request = self._load.next_request()
        transport = self._transport
        if transport is None:
            return
        if request is None:
            transport.close()
            return
        self._head, self._left, self._tail = b"", -1, b""
        self._sent_at = time.perf_counter()
        transport.write(request)

    def data_received(self, received: bytes) -> None:
        if self._left == -1:
            self._head += received
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            status = self._head[9:12].decode()
            self._load.statuses[status] = self._load.statuses.get(status, 0) + 1
            length = _LENGTH.search(self._head, 0, end)
            received = self._head[end + 4 :]
            self._left = int(length.group(1)) if length else -2
        self._load.body_bytes += len(received)
        if self._left >= 0:
            self._left -= len(received)
            done = self._left == 0
        else:
            self._tail = (self._tail + received)[-len(_LAST_CHUNK) :]
            done = self._tail == _LAST_CHUNK
        if done:
            self._load.latencies_ms.append((time.perf_counter() - self._sent_at) * 1000)
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the protocol's signature
        self._load.connection_done()


class _Load:
    def __init__(self, requests: list[bytes], count: int, connections: int) -> None:
        self._next = itertools.islice(itertools.cycle(requests), count)
        self._open = connections
        self.done = asyncio.get_running_loop().create_future()
        self.statuses: dict[str, int] = {}
        self.latencies_ms: list[float] = []
        self.body_bytes = 0

    def next_request(self) -> bytes | None:
        return next(self._next, None)

    def connection_done(self) -> None:
        self._open -= 1
        if self._open <= 0 and not self.done.done():
            self.done.set_result(None)


async def run_load(host: str, port: int, requests: list[bytes], count: int, connections: int) -> LoadReport:
    """Send `count` requests, round robin out of `requests`, over `connections` connections."""
    load = _Load(requests, count, connections)
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(load), host, port)
    await load.done
    seconds = time.perf_counter() - started
    latencies = sorted(load.latencies_ms) or [0.0]
    return LoadReport(
        requests=len(load.latencies_ms),
        seconds=round(seconds, 3),
        requests_per_s=round(len(load.latencies_ms) / seconds, 1),
        body_bytes=load.body_bytes,
        median_ms=round(statistics.median(latencies), 3),
        p99_ms=round(latencies[int(len(latencies) * 0.99)], 3),
        statuses=load.statuses,
    )


def request_bytes(path: str, headers: list[str]) -> bytes:
    """A GET as a consumer's HTTP library would send it, more or less."""
    lines = [f"GET {path} HTTP/1.1", "Host: gateway.example", "Accept: application/json", "User-Agent: bench/1"]
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode("ascii")


class LoadOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One load to run; `paths` are taken in turn."""

    port: int
    paths: list[str]
    headers: list[str] = []
    connections: int = 8
    requests: int = 4_000
    host: str = "127.0.0.1"


def run_order(order: LoadOrder) -> LoadReport:
    """Run one load in this process."""
    requests = [request_bytes(path, order.headers) for path in order.paths]
    return uvloop.run(run_load(order.host, order.port, requests, order.requests, order.connections))


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
            print(msgspec.json.encode(run_order(msgspec.json.decode(line, type=LoadOrder))).decode(), flush=True)
        return
    order = LoadOrder(
        port=options.port,
        paths=options.path,
        headers=options.header,
        connections=options.connections,
        requests=options.requests,
    )
    print(msgspec.json.encode(run_order(order)).decode())


if __name__ == "__main__":
    main()
