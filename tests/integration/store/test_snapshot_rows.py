"""Snapshots, their pieces and stored settings on a real Postgres."""

import os
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text

from qg_store.engine import SessionFactory
from qg_store.repositories import settings, snapshots
from qg_store.repositories.snapshots import NewSnapshot, Piece, PieceMissing
from tests.fixtures.store import StoreUrls

_PIECE_BYTES = 524_288


async def _stream(pieces: list[Piece]) -> AsyncIterator[Piece]:
    for piece in pieces:
        yield piece


async def _store(worker: SessionFactory, endpoint_id: str, pieces: list[Piece] | None = None) -> NewSnapshot:
    pieces = pieces if pieces is not None else [Piece("zstd", 0, b"z"), Piece("gzip", 0, b"g")]
    async with worker() as session:
        made = NewSnapshot(
            id=str(uuid.uuid4()),
            number=await snapshots.take_number(session),
            endpoint_id=endpoint_id,
            job_run_id=str(uuid.uuid4()),
            producer="a" * 64,
            header=b"header",
            row_count=3,
            truncated=False,
            bytes=30,
            stored_bytes=sum(len(piece.body) for piece in pieces),
        )
        await snapshots.add(session, made, _stream(pieces))
        await session.commit()
    return made


async def test_pieces_come_back_in_order(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    endpoint_id = str(uuid.uuid4())
    zstd = [Piece("zstd", number, os.urandom(_PIECE_BYTES)) for number in range(5)] + [Piece("zstd", 5, b"end")]
    made = await _store(worker_sessions, endpoint_id, [*reversed(zstd), Piece("gzip", 0, b"g")])
    async with app_sessions() as session:
        assert [piece async for piece in snapshots.pieces(session, made.id, "zstd")] == zstd
        assert [piece async for piece in snapshots.pieces(session, made.id, "gzip")] == [Piece("gzip", 0, b"g")]
        assert [piece async for piece in snapshots.pieces(session, made.id, "br")] == []
        found = await snapshots.get(session, made.id)
        (mark,) = await snapshots.newest_of_all(session)
    assert found is not None
    assert {name: getattr(found, name) for name in NewSnapshot.__struct_fields__} == {
        name: getattr(made, name) for name in NewSnapshot.__struct_fields__
    }
    assert (mark.id, mark.number, mark.header, mark.created_at) == (made.id, made.number, b"header", found.created_at)


async def test_a_snapshot_that_goes_while_it_is_read(worker_sessions: SessionFactory) -> None:
    endpoint_id = str(uuid.uuid4())
    made = await _store(worker_sessions, endpoint_id, [Piece("zstd", number, b"x") for number in range(3)])
    async with worker_sessions() as session:
        reading = snapshots.pieces(session, made.id, "zstd")
        assert (await anext(reading)).number == 0
        async with worker_sessions() as other:
            await snapshots.delete_of(other, endpoint_id)
            await other.commit()
        with pytest.raises(PieceMissing):
            await anext(reading)


async def test_pieces_are_not_compressed_again(store_urls: StoreUrls) -> None:
    connection = await asyncpg.connect(store_urls.superuser)
    storage = await connection.fetchval(
        "SELECT attstorage FROM pg_attribute WHERE attrelid = 'snapshot_pieces'::regclass AND attname = 'body'"
    )
    await connection.close()
    assert storage == b"e"


async def test_numbers_grow_and_the_newest_wins(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    one, other = sorted(str(uuid.uuid4()) for _ in range(2))
    made = [await _store(worker_sessions, one) for _ in range(4)]
    last = await _store(worker_sessions, other, [Piece("zstd", 0, b"x" * 100)])
    numbers = [snapshot.number for snapshot in [*made, last]]
    assert numbers == sorted(set(numbers))
    async with app_sessions() as session:
        assert [row.id for row in await snapshots.page(session, one, 3)] == [row.id for row in made[:0:-1]]
        assert [mark.id for mark in await snapshots.newest_of_all(session)] == [made[-1].id, last.id]
        assert await snapshots.stored_bytes_of_newest(session) == 102
    async with worker_sessions() as session:
        for row in made[:2]:
            assert await snapshots.keep_newest(session, one, 2, removed_max=1) == [row.id], "the oldest first"
        assert await snapshots.keep_newest(session, one, 2, removed_max=1) == []
        await session.commit()
        assert await session.scalar(text("SELECT count(*) FROM snapshot_pieces")) == 5
    async with app_sessions() as session:
        assert set(await snapshots.delete_of(session, one)) == {row.id for row in made[2:]}
        await session.commit()
        assert [mark.id for mark in await snapshots.newest_of_all(session)] == [last.id]
        assert await session.scalar(text("SELECT count(*) FROM snapshot_pieces")) == 1


async def test_a_number_is_not_given_twice(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        first = await snapshots.take_number(session)
        await session.rollback()
        assert await snapshots.take_number(session) == first + 1


async def test_stored_settings(app_sessions: SessionFactory) -> None:
    async with app_sessions() as session:
        first = await settings.put(session, "log_level", "INFO", "ada")
        stored_at = first.updated_at
        await settings.put(session, "cors_origins", ["https://a.example"], "ada")
        await settings.put(session, "max_job_concurrency", 4, "ada")
        await session.commit()
        again = await settings.put(session, "log_level", "DEBUG", "bob")
        await session.commit()
        assert (again.value, again.updated_by) == ("DEBUG", "bob")
        assert again.updated_at > stored_at
    async with app_sessions() as session:
        assert [(row.key, row.value) for row in await settings.every(session)] == [
            ("cors_origins", ["https://a.example"]),
            ("log_level", "DEBUG"),
            ("max_job_concurrency", 4),
        ]
        await settings.forget(session, "log_level")
        assert await settings.by_key(session, "log_level") is None
