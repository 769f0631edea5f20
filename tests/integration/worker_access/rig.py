"""Sinks under test, what they stored, and a node's log as far as a sink sees it."""

import random
import secrets
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
from redis.asyncio import Redis

from qg_bundle import keys
from qg_bundle.access.codec import (
    PersistedRefused,
    encode_batch,
    make_header,
    read_persisted,
)
from qg_bundle.access.reader import RESPONSE_BYTES_MAX
from qg_bundle.access.writer import append_batches
from qg_bundle.link import open_link
from qg_core.access_events import AccessEvent
from qg_security.sealing import new_fernet_key
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, TagKeys
from qg_store.engine import make_engine, make_sessions
from qg_telemetry.events import Event
from tests.fixtures.store import StoreUrls
from tests.support.access_lines import encode_event
from worker.access_log import AccessSink, Pace

ENDPOINT_ID = "0b0e7f9e-6a0c-4d5f-9d55-3c1d7a3c9f10"
METHOD_ID = "5f3f2b77-0f0f-4b57-a3f3-0b54d2a7a6a1"
CREDENTIAL_ID = "8a4c7a52-25a1-4b7e-8b0f-2f2f62a5d0c3"


QUICK = Pace(idle_max_s=1.0, take_over_every_s=0.5, sweep_every_s=0.5)


def event(sequence: int, **changes: Any) -> AccessEvent:
    fields: dict[str, Any] = {
        "sequence": sequence,
        "at": time.time(),
        "request_id": f"r-{sequence}",
        "endpoint_id": ENDPOINT_ID,
        "path": "/api/v1/data/orders",
        "method": "GET",
        "principal": "api_key:erp",
        "auth_method_id": METHOD_ID,
        "credential_id": CREDENTIAL_ID,
        "remote_ip": "10.0.0.7",
        "status": 200,
        "duration_ms": 2.5,
        "row_count": 10,
        "bytes": 120,
        "revision": 7,
    }
    return AccessEvent(**{**fields, **changes})


class NodeLog:
    """One log of one node: its batches, as they would be sent."""

    def __init__(self, tags: TagKeys, node: str = "node-1") -> None:
        self.log_id = secrets.token_hex(16)
        self.node = node
        self._tags = tags

    def fields(
        self, lines: Sequence[bytes], *, first: int, last: int | None = None, base: int = 1
    ) -> dict[bytes, bytes]:
        end = first + len(lines) - 1 if last is None else last
        header = make_header(self.log_id, self.node, base=base, first=first, last=end, lines=lines)
        return encode_batch(self._tags, header, lines)

    def batch(self, first: int, last: int, *, base: int = 1) -> dict[bytes, bytes]:
        lines = [encode_event(event(number)) for number in range(first, last + 1)]
        return self.fields(lines, first=first, last=last, base=base)


class Servers(msgspec.Struct, frozen=True):
    """What a sink talks to, and the key it shares with nodes."""

    database_url: str
    redis_url: str
    seal_key: str


class SinkRig:
    """Everything of one test. `observed` are the events of all sinks in this process."""

    def __init__(self, urls: StoreUrls, redis_url: str, seal_key: str | None = None) -> None:
        self.urls = urls
        self.servers = Servers(urls.worker, redis_url, seal_key or new_fernet_key())
        self.batch_tags = TagKeys([self.servers.seal_key], ACCESS_BATCH_CONTEXT)
        self.persisted_tags = TagKeys([self.servers.seal_key], ACCESS_PERSISTED_CONTEXT)
        # More patient than a service: a Redis that chews on what a test planted is slow on a busy machine.
        self.redis: Redis = open_link(redis_url, timeout_s=15.0)
        self.observed: list[Event] = []
        self._engine = make_engine(urls.worker, pool_max=10)
        self.sessions = make_sessions(self._engine)
        self._sinks: list[AccessSink] = []
        self._links: list[Redis] = []

    def log(self, node: str = "node-1") -> NodeLog:
        return NodeLog(self.batch_tags, node)

    def sink(self, *, retention_days: int = 90, pace: Pace = QUICK) -> AccessSink:
        """A sink that runs already."""
        link = open_link(self.servers.redis_url, response_bytes_max=RESPONSE_BYTES_MAX)
        self._links.append(link)
        sink = AccessSink(
            sessions=self.sessions,
            redis=link,
            batch_tags=self.batch_tags,
            persisted_tags=self.persisted_tags,
            observe=self.observed.append,
            retention_days=lambda: retention_days,
            worker=f"worker-{len(self._sinks)}",
            pace=pace,
        )
        self._sinks.append(sink)
        sink.start()
        return sink

    async def send(self, *entries: dict[bytes, bytes]) -> None:
        for fields in entries:
            await append_batches(self.redis, [fields])

    async def persisted(self, log: NodeLog) -> int:
        """What a node would believe; 0 when there is nothing, -1 when it does not verify."""
        value = await self.redis.hget(keys.ACCESS_PERSISTED, log.log_id)  # type: ignore[misc]  # redis-py: sync or async
        if value is None:
            return 0
        try:
            return read_persisted(self.persisted_tags, log.log_id, value)
        except PersistedRefused:
            return -1

    async def reached(self, log: NodeLog, sequence: int) -> bool:
        return await self.persisted(log) >= sequence

    async def settled(self) -> bool:
        """Nothing waits in the stream."""
        return int(await self.redis.xlen(keys.ACCESS)) == 0

    async def query(self, statement: str, *arguments: object) -> list[Any]:
        """As the superuser."""
        connection = await asyncpg.connect(self.urls.superuser)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def value(self, statement: str, *arguments: object) -> Any:
        return (await self.query(statement, *arguments))[0][0]

    def seen(self, kind: type[Event]) -> list[Any]:
        return [found for found in self.observed if type(found) is kind]

    async def close(self) -> None:
        for sink in self._sinks:
            await sink.close()
        for link in (*self._links, self.redis):
            await link.aclose()
        await self._engine.dispose()


def shuffled_batches(log: NodeLog, events: int, seed: int) -> list[dict[bytes, bytes]]:
    """Batches of 1 to 500 events that cover 1 to `events` in no order, half of it again with other borders."""
    chance = random.Random(seed)
    lines = [encode_event(event(number)) for number in range(1, events + 1)]
    found: list[dict[bytes, bytes]] = []
    for share in (1.0, 0.5):
        start = 0
        while start < events:
            some = lines[start : start + chance.randint(1, 500)]
            if chance.random() < share:
                found.append(log.fields(some, first=start + 1))
            start += len(some)
    chance.shuffle(found)
    return found
