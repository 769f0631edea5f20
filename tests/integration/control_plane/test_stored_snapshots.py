"""Snapshots as admins see them: which there are, and their rows to the last digit."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterable

import msgspec
import pytest
from sqlalchemy import delete, func, select

from control_plane.actors import SYSTEM
from control_plane.schedules.stored import READ_TIMEOUT_S, READERS_MAX, SENT_BYTES, OpenedSnapshot, StoredSnapshots
from qg_bundle.snapshots.encoding import StoredWriter
from qg_core.errors import NotFound, Unavailable
from qg_core.job_runs import RunStatus
from qg_core.snapshots import ENCODINGS, GZIP, PIECE_BYTES
from qg_store.models import AuditEntry, Snapshot, SnapshotPiece
from qg_store.repositories import snapshots
from qg_store.repositories.snapshots import NewSnapshot, Piece
from qg_telemetry.events import AdminRequestServed
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import Plane, add_admin, client_of, sign_in
from tests.integration.control_plane.scheduled import ENDPOINTS, NOBODY, URL, Things, open_things

ROWS = b'{"N":12345678901234567890.1234567890,"T":"x"},{"N":null,"T":"\xc3\xa9"}'


@pytest.fixture
async def things(plane: Plane, store_urls: StoreUrls) -> AsyncIterator[Things]:
    async with open_things(plane, store_urls) as made:
        made.data_strategy = "snapshot"
        yield made


async def store(things: Things, endpoint_id: str, chunks: Iterable[bytes], row_count: int = 2) -> str:
    """A snapshot as a worker stores it; its id."""
    listed = (await things.admin.get(URL)).json()
    schedule_id = next(row["id"] for row in listed if row["endpoint_id"] == endpoint_id)
    asked = await things.admin.post(f"{URL}/{schedule_id}/run")
    assert await things.work(RunStatus.SUCCESS) == asked.json()["job_run_id"]
    sinks = {name: io.BytesIO() for name in ENCODINGS}
    writer = StoredWriter(sinks)
    for chunk in chunks:
        writer.write(chunk)
    text = writer.finish()

    async def pieces() -> AsyncIterator[Piece]:
        for name, sink in sinks.items():
            body = sink.getvalue()
            for number, start in enumerate(range(0, len(body), PIECE_BYTES)):
                yield Piece(name, number, body[start : start + PIECE_BYTES])

    async with things.worker.begin() as session:
        number = await snapshots.take_number(session)
        new = NewSnapshot(
            id=f"00000000-0000-4000-8000-{number:012d}",
            number=number,
            endpoint_id=endpoint_id,
            job_run_id=asked.json()["job_run_id"],
            producer="0" * 64,
            header=b"sealed",
            row_count=row_count,
            truncated=False,
            bytes=text.rows_bytes,
            stored_bytes=writer.stored_bytes,
        )
        await snapshots.add(session, new, pieces())
    return new.id


async def test_the_rows_are_sent_as_they_are_stored(things: Things) -> None:
    made = await things.schedule()
    snapshot_id = await store(things, made["endpoint_id"], [ROWS])
    listed = (await things.admin.get(f"{URL}/snapshots/{made['endpoint_id']}")).json()
    assert [item["id"] for item in listed] == [snapshot_id]
    assert (listed[0]["row_count"], listed[0]["bytes"]) == (2, len(ROWS) + len(b'{"data":['))
    assert "data" not in listed[0]
    assert "producer" not in listed[0]
    answer = await things.admin.get(f"{URL}/snapshots/detail/{snapshot_id}/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.content.endswith(b',"data":[' + ROWS + b"]}")
    shown = answer.json()
    assert {key: value for key, value in shown.items() if key != "data"} == listed[0]
    async with things.plane.control_plane.sessions() as session:
        entry = (await session.scalars(select(AuditEntry).where(AuditEntry.subject_kind == "snapshot"))).one()
    assert (entry.action, entry.actor, entry.subject_id) == ("read", "ada", snapshot_id)


async def test_no_rows(things: Things) -> None:
    made = await things.schedule()
    snapshot_id = await store(things, made["endpoint_id"], [], row_count=0)
    assert (await things.admin.get(f"{URL}/snapshots/detail/{snapshot_id}")).json()["data"] == []


async def test_a_large_one_leaves_in_chunks(things: Things) -> None:
    """Repetitive rows: one stored piece swells a hundredfold, and still only small chunks are in memory."""
    made = await things.schedule()
    row = b'{"N":1,"T":"' + b"x" * 200 + b'"}'
    snapshot_id = await store(things, made["endpoint_id"], [row, *[b"," + row] * 29_999], row_count=30_000)
    stored = StoredSnapshots(things.plane.control_plane.sessions)
    async with things.plane.control_plane.sessions() as session:
        found = await session.get(Snapshot, snapshot_id)
        assert found is not None
        gzipped = await session.scalar(
            select(func.sum(func.octet_length(SnapshotPiece.body))).where(SnapshotPiece.encoding == GZIP)
        )
    assert found.bytes > 20 * gzipped
    size = 0
    async for chunk in stored._text(found):
        assert len(chunk) <= SENT_BYTES
        size += len(chunk)
    assert size == found.bytes
    answer = await things.admin.get(f"{URL}/snapshots/detail/{snapshot_id}")
    assert len(msgspec.json.decode(answer.content)["data"]) == 30_000


async def test_newest_first_and_limited(things: Things) -> None:
    made = await things.schedule()
    ids = [await store(things, made["endpoint_id"], [ROWS]) for _ in range(3)]
    url = f"{URL}/snapshots/{made['endpoint_id']}"
    assert [item["id"] for item in (await things.admin.get(url)).json()] == ids[::-1]
    assert [item["id"] for item in (await things.admin.get(url, params={"limit": 1})).json()] == [ids[2]]
    for wrong in ("0", "201", "x"):
        assert (await things.admin.get(url, params={"limit": wrong})).status_code == 422
    for path in (f"snapshots/{NOBODY}", f"snapshots/detail/{NOBODY}"):
        assert (await things.admin.get(f"{URL}/{path}")).status_code == 404
    for path in ("snapshots/x", "snapshots/detail/x"):
        assert (await things.admin.get(f"{URL}/{path}")).status_code == 422


async def test_a_viewer_sees_that_there_is_one_and_not_what_is_in_it(things: Things) -> None:
    made = await things.schedule()
    snapshot_id = await store(things, made["endpoint_id"], [ROWS])
    await add_admin(things.plane, "vera", "viewer")
    async with client_of(things.plane.control_plane) as viewer:
        await sign_in(viewer, "vera")
        assert len((await viewer.get(f"{URL}/snapshots/{made['endpoint_id']}")).json()) == 1
        assert (await viewer.get(f"{URL}/snapshots/detail/{snapshot_id}")).status_code == 403


async def test_a_snapshot_that_vanishes_while_it_is_read_ends_too_early_to_be_taken_for_whole(things: Things) -> None:
    made = await things.schedule()
    snapshot_id = await store(things, made["endpoint_id"], [ROWS])
    stored = StoredSnapshots(things.plane.control_plane.sessions)
    opened = await stored.open(snapshot_id, SYSTEM)
    async with things.worker.begin() as session:
        await session.execute(delete(SnapshotPiece).where(SnapshotPiece.encoding == GZIP))
    sent: list[bytes] = []
    with pytest.raises(Unavailable):
        await drain(opened.body, sent)
    assert sum(map(len, sent)) < opened.size
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(b"".join(sent))
    # The client, which is in this process, insists on a whole answer.
    with pytest.raises(AssertionError):
        await things.admin.get(f"{URL}/snapshots/detail/{snapshot_id}")
    served = things.plane.events[-1]
    assert isinstance(served, AdminRequestServed)
    assert (served.status, served.error_code) == (200, "unavailable")
    assert not [event for event in things.plane.events if event.event == "unforeseen_error"]


async def test_only_so_many_are_read_at_once(things: Things) -> None:
    made = await things.schedule()
    snapshot_id = await store(things, made["endpoint_id"], [ROWS])
    passed_s = 0.0
    stored = StoredSnapshots(things.plane.control_plane.sessions, now=lambda: passed_s)
    # All at once, with one more that there is no such snapshot for, which keeps no place.
    with pytest.raises(NotFound):
        await stored.open(NOBODY, SYSTEM)
    asked = [stored.open(snapshot_id, SYSTEM) for _ in range(READERS_MAX + 2)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    opened = [one for one in answers if isinstance(one, OpenedSnapshot)]
    assert len(opened) == READERS_MAX
    assert [type(one) for one in answers if one not in opened] == [Unavailable, Unavailable]
    readers = [aiter(one.body) for one in opened]
    for reader in readers:
        assert (await anext(reader)).startswith(b'{"id":')
    with pytest.raises(Unavailable):
        await stored.open(snapshot_id, SYSTEM)
    await drain(readers.pop())
    replacement = await stored.open(snapshot_id, SYSTEM)
    readers.append(aiter(replacement.body))
    await anext(readers[-1])
    # Readers that stand still keep nobody out for ever, and get no more.
    passed_s = READ_TIMEOUT_S + 1
    await drain((await stored.open(snapshot_id, SYSTEM)).body)
    for reader in readers:
        with pytest.raises(Unavailable):
            await drain(reader)


async def drain(body: AsyncIterator[bytes], into: list[bytes] | None = None) -> None:
    async for chunk in body:
        if into is not None:
            into.append(chunk)


async def test_they_go_with_their_endpoint_and_stay_without_their_schedule(things: Things) -> None:
    made = await things.schedule()
    kept = await things.schedule(await things.endpoint("kept"))
    await store(things, made["endpoint_id"], [ROWS])
    kept_id = await store(things, kept["endpoint_id"], [ROWS])
    assert (await things.admin.delete(f"{URL}/{kept['id']}")).is_success
    assert (await things.admin.delete(f"{ENDPOINTS}/{made['endpoint_id']}")).is_success
    assert (await things.admin.get(f"{URL}/snapshots/{made['endpoint_id']}")).status_code == 404
    async with things.plane.control_plane.sessions() as session:
        assert list(await session.scalars(select(Snapshot.id))) == [kept_id]
        left = await session.scalars(select(SnapshotPiece.snapshot_id).distinct())
        assert list(left) == [kept_id]
