"""A node's access log on real files and a real Redis, and a sink that stores what arrives as workers do."""

import asyncio
import base64
import time
from pathlib import Path
from typing import TypeVar

from redis.asyncio import Redis

from data_plane.access_log.disk_thread import DiskThread
from data_plane.access_log.logs import Logs
from data_plane.access_log.recorder import Recorder
from data_plane.access_log.sender import Sender
from qg_bundle import keys
from qg_bundle.access import reader
from qg_bundle.access.codec import decode_batch, persisted_value
from qg_bundle.link import open_link
from qg_core.access_events import AccessEvent, decode_event
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, TagKeys
from qg_telemetry.events import Event

EventT = TypeVar("EventT", bound=Event)

KEY = base64.urlsafe_b64encode(b"the same in every test process  ").decode("ascii")
BATCH_TAGS = TagKeys([KEY], ACCESS_BATCH_CONTEXT)
PERSISTED_TAGS = TagKeys([KEY], ACCESS_PERSISTED_CONTEXT)
BYTES_MAX = 64 * 1024 * 1024


def event(number: int, path: str = "/api/v1/data/orders") -> AccessEvent:
    return AccessEvent(
        number, time.time(), f"r-{number}", "e-1", path, "GET", "api_key:acme", "m", "c", "::1", 200, 1.5, 3, 100, 7
    )


class RecordingNode:
    """One life of a node's access log. `ahead_s` moves its clock."""

    def __init__(self, state_dir: Path, redis_url: str, *, bytes_max: int = BYTES_MAX) -> None:
        self.ahead_s = 0.0
        self.events: list[Event] = []
        self.redis: Redis = open_link(redis_url, timeout_s=0.5)
        self.disk = DiskThread("access-log-test", _unforeseen)
        self.logs = Logs(state_dir, bytes_max, self.events.append)
        self.sender = Sender(
            self.redis,
            self.disk,
            self.logs,
            node="node-1",
            batch_tags=BATCH_TAGS,
            persisted_tags=PERSISTED_TAGS,
            observe=self.events.append,
            now=lambda: time.monotonic() + self.ahead_s,
        )
        self.recorder = Recorder(self.logs, self.disk, self.sender, self.events.append)

    async def __aenter__(self) -> "RecordingNode":
        await self.recorder.start()
        await self.written()  # and read, before that
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.recorder.close()
        await self.redis.aclose()

    @property
    def log_id(self) -> str:
        assert self.logs.current is not None
        return self.logs.current.log_id

    def serve(self, requests: int, at_once: int = 100) -> list[int]:
        """Requests that come and go; their numbers."""
        numbers: list[int] = []
        while len(numbers) < requests:
            count = min(at_once, requests - len(numbers))
            for _ in range(count):
                self.recorder.begin()
            first = self.recorder.end(count)
            some = list(range(first, first + count))
            self.recorder.record([event(number) for number in some])
            numbers += some
        return numbers

    async def written(self) -> None:
        """Everything that was served is in files, or could not be."""
        await self.disk.run(lambda: None)

    def told(self, event_type: type[EventT]) -> list[EventT]:
        return [found for found in self.events if isinstance(found, event_type)]


def _unforeseen(error: Exception) -> None:
    raise error


class Sink:
    """Stores numbers by log and counts what is lost, as the contract of `qg_bundle.access` says."""

    def __init__(self, redis_url: str) -> None:
        self.redis: Redis = open_link(redis_url)
        self.rows: dict[str, dict[int, AccessEvent]] = {}
        self.base: dict[str, int] = {}
        self.entries = 0
        self.received = 0

    async def __aenter__(self) -> "Sink":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.redis.aclose()

    async def take(self) -> None:
        """Store what is in the stream, and say so."""
        await reader.make_group(self.redis)
        entries = await reader.read_new(self.redis, "worker-1", entries_max=1_000, block_ms=20)
        for entry in entries:
            batch = decode_batch(BATCH_TAGS, entry.fields)
            header = batch.header
            numbers = [decode_event(line) for line in batch.lines]
            assert [found.sequence for found in numbers] == sorted({found.sequence for found in numbers})
            assert not numbers or (numbers[0].sequence, numbers[-1].sequence) == (header.first, header.last)
            self.rows.setdefault(header.log_id, {}).update({found.sequence: found for found in numbers})
            self.base[header.log_id] = max(self.base.get(header.log_id, 1), header.base)
            self.entries += 1
            self.received += len(numbers)
        await reader.settle(self.redis, [entry.id for entry in entries])
        marks = {log_id: persisted_value(PERSISTED_TAGS, log_id, self.persisted(log_id)) for log_id in self.base}
        if marks:
            await self.redis.hset(keys.ACCESS_PERSISTED, mapping=marks)  # type: ignore[misc]  # redis-py: sync or async

    def persisted(self, log_id: str) -> int:
        rows = self.rows.get(log_id, {})
        number = self.base.get(log_id, 1) - 1
        while number + 1 in rows:
            number += 1
        return number

    def lost(self, log_id: str) -> int:
        """Numbers up to what is persisted without a row."""
        persisted = self.persisted(log_id)
        return persisted - sum(1 for number in self.rows.get(log_id, {}) if number <= persisted)

    def stored(self) -> int:
        return sum(map(len, self.rows.values()))

    async def until_stored(self, count: int, timeout_s: float = 15.0) -> None:
        """Take until that many rows are stored."""
        started = time.monotonic()
        while self.stored() < count:
            assert time.monotonic() - started < timeout_s, f"{self.stored()} of {count} rows"
            await self.take()
            await asyncio.sleep(0.02)

    async def until_persisted(self, log_id: str, number: int, timeout_s: float = 15.0) -> None:
        """Take until everything up to `number` is stored or counted as lost."""
        started = time.monotonic()
        while self.persisted(log_id) < number:
            assert time.monotonic() - started < timeout_s, f"persisted {self.persisted(log_id)} of {number}"
            await self.take()
            await asyncio.sleep(0.02)


async def stream_length(redis: Redis) -> int:
    return int(await redis.xlen(keys.ACCESS))


def lines_in(state_dir: Path) -> list[int]:
    """The numbers of all whole lines in files, in the order of the files."""
    found: list[int] = []
    for path in sorted((state_dir / "access").glob("*/*.lines")):
        found += [decode_event(line).sequence for line in path.read_bytes().split(b"\n")[:-1]]
    return found
