"""Two snapshots of what the live workload answers with, and the same answers as files for the bare application."""

import time
from pathlib import Path

import msgspec
import oracledb

from benchmarks.queries import ROWS_SQL
from qg_bundle.link import open_link
from qg_bundle.snapshots.encoding import Tails
from qg_core.producers import producer_of
from qg_core.snapshots import IDENTITY, TEXT_HEAD
from qg_core.specs import ConnectionSpec, DataStrategy, EndpointSpec, SpecKind
from qg_devstack.hand_published import HandPublished
from qg_devstack.hand_stored import store_by_hand
from qg_devstack.servers import StandinAddress
from qg_security.tags import SNAPSHOT_CONTEXT, TagKeys

ROW_COUNTS = {"one row": 1, "10,000 rows": 10_000}
PATHS = {"one row": "bench/snapshot/one", "10,000 rows": "bench/snapshot/rows"}
TARGETS = {"one row": 0.35, "10,000 rows": 0.60}
"""Of one row nothing is left but what the gateway does for every request, beside an application that does nothing."""

ENCODINGS = (IDENTITY, "zstd")


def static_path(name: str, encoding: str) -> str:
    """Where the bare application answers with the same bytes."""
    return f"/static/{PATHS[name].replace('/', '-')}.{encoding}"


def define(published: HandPublished, connection_id: str) -> None:
    """Public endpoints; published with the next `publish`."""
    for path in PATHS.values():
        published.endpoint(path, ROWS_SQL, connection_id, None, data_strategy=DataStrategy.SNAPSHOT)


async def store(published: HandPublished, fetched: list[bytes], directory: Path) -> None:
    """Put a snapshot of each, and write what the bare application sends into `directory`."""
    redis = open_link(published.redis_url)
    tags = TagKeys([published.seal_key], SNAPSHOT_CONTEXT)
    endpoints = {spec.path: spec for spec in published.specs.values() if isinstance(spec, EndpointSpec)}
    try:
        for number, (name, path) in enumerate(PATHS.items(), start=1):
            endpoint = endpoints[path]
            connection = published.specs[SpecKind.CONNECTION, endpoint.connection_id]
            assert isinstance(connection, ConnectionSpec)  # noqa: S101 - for the type checker
            rows = b",".join(fetched[: ROW_COUNTS[name]])
            stored = store_by_hand(
                tags,
                published.gateway_id,
                endpoint.id,
                producer_of(endpoint, connection),
                number,
                [rows],
                ROW_COUNTS[name],
            )
            await stored.put(redis)
            header = stored.header
            tail = b'],"meta":{"row_count":%d,"snapshot_created_at":"%d"}}' % (header.row_count, int(time.time()))
            for encoding in ENCODINGS:
                body = TEXT_HEAD + rows if encoding == IDENTITY else stored.bodies[encoding]
                end = Tails().with_tail(encoding, tail, header.rows_bytes, header.rows_crc32)
                (directory / Path(static_path(name, encoding)).name).write_bytes(body + end)
    finally:
        await redis.aclose()


def fetched_rows(standin: StandinAddress) -> list[bytes]:
    """What the live workload answers with, each row encoded."""
    with (
        oracledb.connect(
            user=standin.user,
            password=standin.password,
            dsn=f"{standin.host}:{standin.port}/{standin.service_name}",
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(ROWS_SQL)
        names = [column.name for column in cursor.description]
        return [msgspec.json.encode(dict(zip(names, row, strict=True))) for row in cursor]
