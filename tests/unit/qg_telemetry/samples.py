"""Events for the tests, and a log that writes where a test can read."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qg_telemetry.events import Level, RequestServed
from qg_telemetry.log import Log
from qg_telemetry.sink import LineSink


def served(**changes: Any) -> RequestServed:
    fields: dict[str, Any] = {
        "request_id": "r-1",
        "user": "api_key:erp",
        "endpoint": "orders",
        "endpoint_id": "e-1",
        "method": "GET",
        "path": "/api/v1/data/orders",
        "client_ip": "10.0.0.7",
        "status": 200,
        "duration_ms": 3.25,
        "row_count": 10,
        "bytes": 120,
        "revision": 7,
        "outcome": "ok",
    }
    return RequestServed(**{**fields, **changes})


class Written:
    """A log over a pipe and what came out of it."""

    def __init__(self, level: Level) -> None:
        self._read_end, self._write_end = os.pipe()
        self.sink = LineSink(self._write_end)
        self.log = Log("test-service", level, self.sink)

    def lines(self) -> list[dict[str, Any]]:
        self.sink.close()
        return [json.loads(line) for line in self.raw().splitlines()]

    def raw(self) -> bytes:
        os.set_blocking(self._read_end, False)
        found = b""
        try:
            while chunk := os.read(self._read_end, 65536):
                found += chunk
        except BlockingIOError:
            pass
        return found

    def close(self) -> None:
        os.close(self._read_end)
        os.close(self._write_end)


@contextmanager
def written(level: Level = Level.INFO) -> Iterator[Written]:
    found = Written(level)
    try:
        yield found
    finally:
        found.close()
