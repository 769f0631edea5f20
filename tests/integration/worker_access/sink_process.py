"""An access-log sink as a process that a test can kill: `python sink_process.py`, the servers as JSON on stdin."""

import asyncio
import sys

import msgspec

from qg_bundle.link import open_link
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, TagKeys
from qg_store.engine import make_engine, make_sessions
from qg_telemetry.events import AccessBatchesStored, Event
from worker.access_log import AccessSink, Pace


class Servers(msgspec.Struct, frozen=True):
    """What the sink talks to, and the key it shares with nodes."""

    database_url: str
    redis_url: str
    seal_key: str


def tell(event: Event) -> None:
    """One line per transaction, so that the test knows when it is in the middle of its work."""
    if isinstance(event, AccessBatchesStored):
        print(event.events, flush=True)


async def main(servers: Servers) -> None:
    sink = AccessSink(
        sessions=make_sessions(make_engine(servers.database_url, pool_max=4)),
        redis=open_link(servers.redis_url),
        batch_tags=TagKeys([servers.seal_key], ACCESS_BATCH_CONTEXT),
        persisted_tags=TagKeys([servers.seal_key], ACCESS_PERSISTED_CONTEXT),
        observe=tell,
        retention_days=lambda: 90,
        worker="doomed",
        pace=Pace(idle_max_s=1.0, take_over_every_s=0.5),
    )
    sink.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.stdin.buffer.read(), type=Servers)))
