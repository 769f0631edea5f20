"""Rows and partitions of the access log on a real Postgres, as the workers' role."""

import asyncio
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from qg_store import migrate
from qg_store.engine import SessionFactory
from qg_store.models import AccessDeadLetter, AuthMethod, Credential
from qg_store.models.access_log import PATH_CHARS_MAX
from qg_store.repositories import access_dead_letters, access_log, credential_uses
from qg_store.repositories.access_dead_letters import DeadLetter
from qg_store.repositories.access_log import AccessFilter, AccessRow
from tests.fixtures.store import StoreUrls

_NOW = datetime.now(UTC)
_TODAY = _NOW.date()
_MIDDAY = datetime.combine(_TODAY, time(12), UTC)


def _row(number: int, *, at: datetime | None = None, **other: object) -> AccessRow:
    values: dict[str, object] = {
        "event_id": f"log.{number}",
        "at": at or _NOW,
        "request_id": f"request-{number}",
        "endpoint_id": None,
        "path": "orders",
        "method": "GET",
        "principal": "ada",
        "auth_method_id": None,
        "credential_id": None,
        "remote_ip": "192.0.2.1",
        "status": 200,
        "duration_ms": 1.25,
        "row_count": 3,
        "bytes": 5_000_000_000,
        "revision": 7,
        "node": "node-1",
    }
    return AccessRow(**{**values, **other})  # type: ignore[arg-type]  # a test's shorthand


async def _add(sessions: SessionFactory, rows: list[AccessRow]) -> int:
    async with sessions() as session:
        added = await access_log.add(session, rows)
        await session.commit()
    return added


async def _make(sessions: SessionFactory, day: date) -> bool:
    async with sessions() as session:
        made = await access_log.make_partition(session, day)
        await session.commit()
    return made


async def _where(urls: StoreUrls) -> dict[str, int]:
    """table -> rows of the access log that are really in it."""
    connection = await asyncpg.connect(urls.superuser)
    rows = await connection.fetch("SELECT tableoid::regclass::text AS place, count(*) FROM access_log GROUP BY 1")
    await connection.close()
    return {row["place"]: row["count"] for row in rows}


async def test_a_row_comes_back_as_it_was(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    row = _row(1, endpoint_id=str(uuid.uuid4()), auth_method_id=str(uuid.uuid4()), credential_id=str(uuid.uuid4()))
    bare = _row(2, principal=None, row_count=None, revision=None, remote_ip=None, at=_NOW - timedelta(seconds=1))
    assert await _add(worker_sessions, [row, bare]) == 2
    async with app_sessions() as session:
        found = await access_log.page(session, AccessFilter(), 50)
    for entry, expected in zip(found, (row, bare), strict=True):
        assert {name: getattr(entry, name) for name in AccessRow.__struct_fields__} == {
            name: getattr(expected, name) for name in AccessRow.__struct_fields__
        }


async def test_adding_again_adds_nothing(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    await _make(worker_sessions, _TODAY)
    rows = [_row(number) for number in range(1_500)]
    assert await _add(worker_sessions, rows) == 1_500
    assert await _add(worker_sessions, [*rows[::-1], _row(1_500)]) == 1
    assert await _add(worker_sessions, []) == 0
    assert await _where(store_urls) == {f"access_log_{_TODAY:%Y%m%d}": 1_501}


async def test_workers_that_add_the_same_rows_at_once(worker_sessions: SessionFactory) -> None:
    rows = [_row(number) for number in range(400)]
    added = await asyncio.gather(*(_add(worker_sessions, rows if turn % 2 else rows[::-1]) for turn in range(6)))
    assert sum(added) == 400


async def test_a_day_far_off_goes_to_the_default_partition(
    store_urls: StoreUrls, worker_sessions: SessionFactory
) -> None:
    await _make(worker_sessions, _TODAY)
    far = [_row(1, at=_NOW - timedelta(days=400)), _row(2, at=_NOW + timedelta(days=400)), _row(3)]
    far += [_row(4, at=datetime(1, 1, 1, tzinfo=UTC)), _row(5, at=datetime(9999, 12, 31, 23, tzinfo=UTC))]
    assert await _add(worker_sessions, far) == 5
    assert await _where(store_urls) == {"access_log_default": 4, f"access_log_{_TODAY:%Y%m%d}": 1}


async def test_the_day_is_that_of_the_moment(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        with pytest.raises(DBAPIError, match="ck_access_log_day"):
            await session.execute(
                text(
                    "INSERT INTO access_log (day, event_id, at, request_id, path, method, status, duration_ms, bytes,"
                    " node) VALUES ('2020-01-01', 'x', '2020-01-02', 'x', 'x', 'GET', 200, 1, 1, 'x')"
                )
            )


async def test_partitions_are_made_once(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    days = [_TODAY + timedelta(days=ahead) for ahead in range(-1, 3)]
    made = await asyncio.gather(*(_make(worker_sessions, day) for day in days * 3))
    assert all(made)
    async with worker_sessions() as session:
        assert await access_log.partitions(session) == days
    connection = await asyncpg.connect(store_urls.superuser)
    owners = await connection.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ '^access_log'")
    indexes = await connection.fetchval(
        "SELECT count(*) FROM pg_indexes WHERE tablename = $1", f"access_log_{_TODAY:%Y%m%d}"
    )
    assert [row[0] for row in owners] == ["qg_owner"]
    assert indexes == 7
    await connection.close()
    # Nobody has rights on a partition of their own: the parent decides.
    for url in (store_urls.app, store_urls.worker):
        connection = await asyncpg.connect(url)
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            assert not await connection.fetchval(
                "SELECT has_table_privilege($1, $2)", f"access_log_{_TODAY:%Y%m%d}", right
            )
        await connection.close()


async def test_a_day_that_the_default_partition_has_stays_there(
    store_urls: StoreUrls, worker_sessions: SessionFactory
) -> None:
    assert await _add(worker_sessions, [_row(1)]) == 1
    assert not await _make(worker_sessions, _TODAY)
    assert await _make(worker_sessions, _TODAY + timedelta(days=1))
    assert await _add(worker_sessions, [_row(2)]) == 1
    assert await _where(store_urls) == {"access_log_default": 2}


@pytest.mark.parametrize("days", [-3, 8, 400, -400])
async def test_no_partition_of_another_time(worker_sessions: SessionFactory, days: int) -> None:
    with pytest.raises(DBAPIError, match="a partition can be made"):
        await _make(worker_sessions, _TODAY + timedelta(days=days))


async def test_dropping_partitions(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    old = _TODAY - timedelta(days=2)
    for day in (old, _TODAY):
        await _make(worker_sessions, day)
        await _add(worker_sessions, [_row(1, at=datetime(day.year, day.month, day.day, tzinfo=UTC))])
    async with worker_sessions() as session:
        assert await access_log.drop_partition(session, old)
        assert not await access_log.drop_partition(session, old)
        assert not await access_log.drop_partition(session, date(2020, 1, 1))
        await session.commit()
    for day in (_TODAY - timedelta(days=1), _TODAY, _TODAY + timedelta(days=1)):
        async with worker_sessions() as session:
            with pytest.raises(DBAPIError, match="older than a day"):
                await access_log.drop_partition(session, day)
    assert await _where(store_urls) == {f"access_log_{_TODAY:%Y%m%d}": 1}


async def test_pruning_the_default_partition(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    await _make(worker_sessions, _TODAY - timedelta(days=2))
    old = [_row(number, at=_NOW - timedelta(days=100)) for number in range(30)]
    await _add(worker_sessions, [*old, _row(30, at=_NOW - timedelta(days=2)), _row(31)])
    before = _TODAY - timedelta(days=1)
    async with worker_sessions() as session:
        assert await access_log.prune_default(session, before, 20) == 20
        assert await access_log.prune_default(session, before, 20) == 10
        assert await access_log.prune_default(session, before, 20) == 0
        assert await access_log.prune_default(session, before, -1) == 0
        await session.commit()
    assert await _where(store_urls) == {
        "access_log_default": 1,
        f"access_log_{_TODAY - timedelta(days=2):%Y%m%d}": 1,
    }
    async with worker_sessions() as session:
        with pytest.raises(DBAPIError, match="older than a day"):
            await access_log.prune_default(session, _TODAY)


async def test_the_functions_find_their_tables_whatever_the_caller_has(store_urls: StoreUrls) -> None:
    """A temporary table of the caller's, or a search path, leads them nowhere else."""
    connection = await asyncpg.connect(store_urls.worker)
    try:
        await connection.execute("CREATE TEMPORARY TABLE access_log (x int)")
        await connection.execute("SET search_path = pg_temp, public")
        assert await connection.fetchval("SELECT public.qg_make_access_partition($1)", _TODAY)
        parent = await connection.fetchval(
            "SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = to_regclass($1)",
            f"public.access_log_{_TODAY:%Y%m%d}",
        )
        assert parent == "public.access_log"
        for name in ("qg_make_access_partition", "qg_drop_access_partition", "qg_prune_access_default"):
            row = await connection.fetchrow(
                "SELECT prosecdef, proconfig, pg_get_userbyid(proowner) AS owner, proacl::text AS rights FROM pg_proc"
                " WHERE proname = $1",
                name,
            )
            assert row["prosecdef"]
            assert "search_path=pg_catalog, pg_temp" in row["proconfig"]
            assert row["owner"] == "qg_owner"
            assert set(row["rights"].strip("{}").split(",")) == {"qg_owner=X/qg_owner", "qg_worker=X/qg_owner"}
    finally:
        await connection.close()


async def test_filters_and_pages(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    await _make(worker_sessions, _TODAY - timedelta(days=1))
    await _make(worker_sessions, _TODAY)
    endpoint_id = str(uuid.uuid4())
    # Three of each moment: the event id decides among them.
    rows = [_row(number, at=_NOW - timedelta(hours=number // 3)) for number in range(90)]
    rows.append(
        _row(90, at=_NOW, status=503, principal="bob", path="stock", endpoint_id=endpoint_id, request_id="mine")
    )
    await _add(worker_sessions, rows)
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
        since, until = _NOW - timedelta(hours=20), _NOW - timedelta(hours=10)
        period = await access_log.page(session, AccessFilter(since=since, until=until), 200)
        assert [(entry.at, entry.event_id) for entry in period] == [
            pair for pair in expected if since <= pair[0] < until
        ]


async def test_a_period_at_the_ends_of_time(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    """A moment with a zone may have no form in UTC."""
    await _add(worker_sessions, [_row(1)])
    ahead, behind = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
    first, last = datetime.min.replace(tzinfo=ahead), datetime.max.replace(tzinfo=behind)
    async with app_sessions() as session:
        assert len(await access_log.page(session, AccessFilter(since=first, until=last), 50)) == 1
        assert await access_log.page(session, AccessFilter(since=last), 50) == []
        assert await access_log.page(session, AccessFilter(before=(first, "")), 50) == []


async def test_going_down_takes_the_partitions_along(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    await _make(worker_sessions, _TODAY)
    await _add(worker_sessions, [_row(1)])
    migrate.downgrade(store_urls.superuser, "0003")
    connection = await asyncpg.connect(store_urls.superuser)
    assert await connection.fetch("SELECT relname FROM pg_class WHERE relname ~ '^access_'") == []
    assert await connection.fetch("SELECT proname FROM pg_proc WHERE proname ~ '^qg_'") == []
    await connection.close()
    migrate.upgrade(store_urls.superuser)
    assert await _make(worker_sessions, _TODAY)


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
        await credential_uses.note(session, {one: _NOW, other: _NOW})
        await credential_uses.note(session, {one: _NOW - timedelta(hours=1), other: _NOW + timedelta(hours=1)})
        await session.commit()
    async with app_sessions() as session:
        found = await credential_uses.last_used(session, [one, other, str(uuid.uuid4())])
        assert found == {one: _NOW, other: _NOW + timedelta(hours=1)}


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
        await credential_uses.note(session, {credential_id: _NOW, other: _NOW})
        await session.commit()
    async with app_sessions() as session:
        await credential_uses.forget_of_method(session, method.id)
        await session.commit()
        assert await credential_uses.last_used(session, [credential_id, other]) == {other: _NOW}


async def test_a_path_is_found_by_its_index(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    await _make(worker_sessions, _TODAY)
    # One that no index could hold: 4 bytes a character, and nothing to compress.
    large = "".join(chr(0x10000 + (number * 7_919) % 60_000) for number in range(PATH_CHARS_MAX))
    paths = [f"path-{number % 20}" for number in range(4_000)]
    rows = [_row(number, path=path, at=_MIDDAY + timedelta(seconds=number)) for number, path in enumerate(paths)]
    assert await _add(worker_sessions, [*rows, _row(9_000, path=large, at=_MIDDAY)]) == 4_001
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
    assert f"Index Scan Backward using access_log_{_TODAY:%Y%m%d}_hashtextextended_at_idx" in lines
    assert newest == ["log.3987", "log.3967", "log.3947"]
