"""Rows of the access log on a real Postgres, as the workers' role."""

import asyncio
import uuid
from datetime import datetime, timedelta, timezone

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from qg_store.engine import SessionFactory
from qg_store.models import AccessDeadLetter, AuthMethod, Credential
from qg_store.models.access_log import PATH_CHARS_MAX
from qg_store.repositories import access_dead_letters, access_log, credential_uses
from qg_store.repositories.access_dead_letters import DeadLetter
from qg_store.repositories.access_log import AccessFilter, AccessRow
from tests.fixtures.store import StoreUrls
from tests.integration.store.access_rows import MIDDAY, NOW, TODAY, add_rows, make_partition, places, row_of


async def test_a_row_comes_back_as_it_was(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    row = row_of(1, endpoint_id=str(uuid.uuid4()), auth_method_id=str(uuid.uuid4()), credential_id=str(uuid.uuid4()))
    bare = row_of(2, principal=None, row_count=None, revision=None, remote_ip=None, at=NOW - timedelta(seconds=1))
    assert await add_rows(worker_sessions, [row, bare]) == 2
    async with app_sessions() as session:
        found = await access_log.page(session, AccessFilter(), 50)
    for entry, expected in zip(found, (row, bare), strict=True):
        assert {name: getattr(entry, name) for name in AccessRow.__struct_fields__} == {
            name: getattr(expected, name) for name in AccessRow.__struct_fields__
        }


async def test_adding_again_adds_nothing(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    await make_partition(worker_sessions, TODAY)
    rows = [row_of(number) for number in range(1_500)]
    assert await add_rows(worker_sessions, rows) == 1_500
    assert await add_rows(worker_sessions, [*rows[::-1], row_of(1_500)]) == 1
    assert await add_rows(worker_sessions, []) == 0
    assert await places(store_urls) == {f"access_log_{TODAY:%Y%m%d}": 1_501}


async def test_workers_that_add_the_same_rows_at_once(worker_sessions: SessionFactory) -> None:
    rows = [row_of(number) for number in range(400)]
    added = await asyncio.gather(*(add_rows(worker_sessions, rows if turn % 2 else rows[::-1]) for turn in range(6)))
    assert sum(added) == 400


async def test_the_day_is_that_of_the_moment(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        with pytest.raises(DBAPIError, match="ck_access_log_day"):
            await session.execute(
                text(
                    "INSERT INTO access_log (day, event_id, at, request_id, path, method, status, duration_ms, bytes,"
                    " node) VALUES ('2020-01-01', 'x', '2020-01-02', 'x', 'x', 'GET', 200, 1, 1, 'x')"
                )
            )


async def test_filters_and_pages(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    await make_partition(worker_sessions, TODAY - timedelta(days=1))
    await make_partition(worker_sessions, TODAY)
    endpoint_id = str(uuid.uuid4())
    # Three of each moment: the event id decides among them.
    rows = [row_of(number, at=NOW - timedelta(hours=number // 3)) for number in range(90)]
    rows.append(
        row_of(90, at=NOW, status=503, principal="bob", path="stock", endpoint_id=endpoint_id, request_id="mine")
    )
    await add_rows(worker_sessions, rows)
    expected = sorted(((row.at, row.event_id) for row in rows), reverse=True)

    seen: list[tuple[datetime, str]] = []
    async with app_sessions() as session:
        while True:
            wanted = AccessFilter(before=seen[-1] if seen else None)
            page = await access_log.page(session, wanted, 20)
            if not page:
                break
            seen += [(entry.at, entry.event_id) for entry in page]
        assert seen == expected

        for wanted in (
            AccessFilter(status=503),
            AccessFilter(principal="bob"),
            AccessFilter(path="stock"),
            AccessFilter(endpoint_id=endpoint_id),
            AccessFilter(request_id="mine"),
        ):
            assert [entry.event_id for entry in await access_log.page(session, wanted, 50)] == ["log.90"]
        since, until = NOW - timedelta(hours=20), NOW - timedelta(hours=10)
        period = await access_log.page(session, AccessFilter(since=since, until=until), 200)
        assert [(entry.at, entry.event_id) for entry in period] == [
            pair for pair in expected if since <= pair[0] < until
        ]


async def test_a_period_at_the_ends_of_time(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    """A moment with a zone may have no form in UTC."""
    await add_rows(worker_sessions, [row_of(1)])
    ahead, behind = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
    first, last = datetime.min.replace(tzinfo=ahead), datetime.max.replace(tzinfo=behind)
    async with app_sessions() as session:
        assert len(await access_log.page(session, AccessFilter(since=first, until=last), 50)) == 1
        assert await access_log.page(session, AccessFilter(since=last), 50) == []
        assert await access_log.page(session, AccessFilter(before=(first, "")), 50) == []


async def test_dead_letters_are_cut_and_capped(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        await access_dead_letters.add(session, [])
        await access_dead_letters.add(
            session, [DeadLetter("l" * 500, "r" * 500, "NUL \x00 and \ud800" + "d" * 900, b"\x00" * 20_000)]
        )
        await access_dead_letters.add(session, [DeadLetter(None, "bad", str(number), b"x") for number in range(30)])
        await session.commit()
        letters = list(await session.scalars(select(AccessDeadLetter).order_by(AccessDeadLetter.id)))
        first = letters[0]
        assert (len(str(first.log_id)), len(first.reason), len(first.detail), len(first.body)) == (64, 64, 500, 8192)
        assert await access_dead_letters.trim(session, 10) == 21
        assert await access_dead_letters.trim(session, 10) == 0
        kept = await session.scalars(select(AccessDeadLetter.detail).order_by(AccessDeadLetter.id))
        assert list(kept) == [str(number) for number in range(20, 30)]


async def test_uses_of_credentials_only_go_forward(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    async with worker_sessions() as session:
        await credential_uses.note(session, {})
        await credential_uses.note(session, {one: NOW, other: NOW})
        await credential_uses.note(session, {one: NOW - timedelta(hours=1), other: NOW + timedelta(hours=1)})
        await session.commit()
    async with app_sessions() as session:
        found = await credential_uses.last_used(session, [one, other, str(uuid.uuid4())])
        assert found == {one: NOW, other: NOW + timedelta(hours=1)}


async def test_what_is_known_of_uses_goes_with_the_auth_method(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    method = AuthMethod(id=str(uuid.uuid4()), name="keys", method_type="api_key", key_prefix="qg_", sealed="x")
    credential_id, other = str(uuid.uuid4()), str(uuid.uuid4())
    async with app_sessions() as session:
        session.add(method)
        await session.flush()
        session.add(Credential(id=credential_id, auth_method_id=method.id, consumer="ada", sealed="x"))
        await session.commit()
    async with worker_sessions() as session:
        await credential_uses.note(session, {credential_id: NOW, other: NOW})
        await session.commit()
    async with app_sessions() as session:
        await credential_uses.forget_of_method(session, method.id)
        await session.commit()
        assert await credential_uses.last_used(session, [credential_id, other]) == {other: NOW}


async def test_a_path_is_found_by_its_index(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    await make_partition(worker_sessions, TODAY)
    # One that no index could hold: 4 bytes a character, and nothing to compress.
    large = "".join(chr(0x10000 + (number * 7_919) % 60_000) for number in range(PATH_CHARS_MAX))
    paths = [f"path-{number % 20}" for number in range(4_000)]
    rows = [row_of(number, path=path, at=MIDDAY + timedelta(seconds=number)) for number, path in enumerate(paths)]
    assert await add_rows(worker_sessions, [*rows, row_of(9_000, path=large, at=MIDDAY)]) == 4_001
    connection = await asyncpg.connect(store_urls.superuser)
    await connection.execute("ANALYZE access_log")
    await connection.close()
    wanted = access_log._page(AccessFilter(path="path-7"), 5)
    async with worker_sessions() as session:
        written = wanted.compile(dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True})
        plan = text(f"EXPLAIN {written}")
        lines = "\n".join((await session.execute(plan)).scalars())
        newest = [row.event_id for row in await access_log.page(session, AccessFilter(path="path-7"), 3)]
        assert [row.event_id for row in await access_log.page(session, AccessFilter(path=large), 5)] == ["log.9000"]
    assert f"Index Scan Backward using access_log_{TODAY:%Y%m%d}_hashtextextended_at_idx" in lines
    assert newest == ["log.3987", "log.3967", "log.3947"]
