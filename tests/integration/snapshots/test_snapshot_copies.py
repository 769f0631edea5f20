"""Snapshots in Redis: larger numbers only, whole or not at all, nothing left behind."""

import asyncio
import random

import msgspec
import pytest
from redis.exceptions import RedisError

from qg_bundle import keys
from qg_bundle.rejections import BundleRejected, Reason
from qg_bundle.snapshots.reader import SnapshotReader
from qg_bundle.snapshots.writer import PIECE_TTL_S, REPLACED_TTL_S, Expected, Piece, SnapshotWriter
from qg_core.snapshots import PIECE_BYTES
from qg_devstack.hand_stored import HandStored
from tests.integration.snapshots.rig import Gateway

RANDOM = random.Random(7)


@pytest.fixture
def reader(gateway: Gateway) -> SnapshotReader:
    return SnapshotReader(gateway.redis, gateway.tags, gateway.published.gateway_id)


def large(gateway: Gateway, number: int) -> HandStored:
    """One of several pieces: text that does not compress."""
    return gateway.snapshot(gateway.first, number, RANDOM.randbytes(PIECE_BYTES + 1_000).hex().encode())


async def piece_keys(gateway: Gateway) -> set[str]:
    return {key.decode() async for key in gateway.redis.scan_iter(f"{keys.SNAPSHOT_PIECE_PREFIX}*")}


def names(stored: HandStored) -> set[str]:
    return {
        keys.snapshot_piece(stored.header.snapshot_id, encoding, number)
        for encoding, body in stored.header.encodings.items()
        for number in range(body.pieces)
    }


async def test_what_is_put_is_read(gateway: Gateway, reader: SnapshotReader) -> None:
    assert await reader.version() == b""
    stored = large(gateway, 3)
    assert await stored.put(gateway.redis)
    assert (await reader.header(gateway.first)).header == stored.header
    for encoding, body in stored.bodies.items():
        pieces = [
            await reader.piece(stored.header, encoding, number)
            for number in range(stored.header.encodings[encoding].pieces)
        ]
        assert b"".join(pieces) == body
        assert len(pieces) > 1
    assert await reader.numbers() == {gateway.first: 3} == await reader.numbers_of([gateway.first, gateway.second])
    assert await reader.version() != b""
    for name in names(stored):
        assert await gateway.redis.ttl(name) == -1


async def test_an_older_number_never_replaces_a_newer_one(gateway: Gateway, reader: SnapshotReader) -> None:
    newer, older = large(gateway, 5), large(gateway, 4)
    assert await newer.put(gateway.redis)
    version = await reader.version()
    assert not await older.put(gateway.redis)
    assert (await reader.header(gateway.first)).header == newer.header
    assert await piece_keys(gateway) == names(newer), "nothing of the older one stays"
    assert await reader.version() == version


async def test_the_same_one_again_is_a_repetition(gateway: Gateway, reader: SnapshotReader) -> None:
    stored = large(gateway, 5)
    assert await stored.put(gateway.redis)
    version = await reader.version()
    assert await stored.put(gateway.redis)
    assert await piece_keys(gateway) == names(stored)
    assert await reader.version() != version
    for name in names(stored):
        assert await gateway.redis.ttl(name) == -1


async def test_the_pieces_of_the_replaced_one_stay_for_a_while(gateway: Gateway) -> None:
    before, after = large(gateway, 1), large(gateway, 2)
    await before.put(gateway.redis)
    await after.put(gateway.redis)
    for name in names(before):
        assert 0 < await gateway.redis.ttl(name) <= REPLACED_TTL_S
    for name in names(after):
        assert await gateway.redis.ttl(name) == -1


async def test_three_writers_race(gateway: Gateway, reader: SnapshotReader) -> None:
    found = [large(gateway, number) for number in range(1, 10)]
    shuffled = RANDOM.sample(found, len(found))

    async def write(mine: list[HandStored]) -> None:
        for stored in mine:
            await stored.put(gateway.redis)

    await asyncio.gather(*(write(shuffled[start::3]) for start in range(3)))
    header = (await reader.header(gateway.first)).header
    assert header == found[-1].header
    assert await reader.numbers() == {gateway.first: 9}
    lasting = {name for name in await piece_keys(gateway) if await gateway.redis.ttl(name) == -1}
    assert lasting == names(found[-1])


async def test_a_writer_that_dies_leaves_nothing_for_good(gateway: Gateway, reader: SnapshotReader) -> None:
    stored = large(gateway, 1)

    async def some() -> object:
        async for piece in stored.pieces():
            yield piece
            raise RedisError("gone")

    with pytest.raises(RedisError):
        await gateway.writer.put(stored.header, stored.sealed, some())  # type: ignore[arg-type]  # a generator that fails
    assert await reader.numbers() == {}
    for name in await piece_keys(gateway):
        assert 0 < await gateway.redis.ttl(name) <= PIECE_TTL_S


@pytest.mark.parametrize("change", ["short", "other", "twice", "fewer"])
async def test_pieces_must_be_those_of_the_header(gateway: Gateway, reader: SnapshotReader, change: str) -> None:
    stored = large(gateway, 1)
    pieces: list[Piece] = [piece async for piece in stored.pieces()]
    if change == "short":
        pieces[0] = (pieces[0][0], 0, pieces[0][2][:-1])
    elif change == "other":
        pieces[0] = ("br", 0, pieces[0][2])
    elif change == "twice":
        pieces[1] = pieces[0]
    else:
        pieces.pop()

    async def given() -> object:
        for piece in pieces:
            yield piece

    with pytest.raises(ValueError, match="piece"):
        await gateway.writer.put(stored.header, stored.sealed, given())  # type: ignore[arg-type]  # as above
    assert await reader.numbers() == {}


async def test_removing(gateway: Gateway, reader: SnapshotReader) -> None:
    stored = large(gateway, 1)
    await stored.put(gateway.redis)
    version = await reader.version()
    assert await gateway.writer.remove(gateway.first)
    assert await reader.version() != version
    assert await reader.numbers() == {}
    with pytest.raises(BundleRejected) as refused:
        await reader.header(gateway.first)
    assert refused.value.reason is Reason.MISSING
    for name in names(stored):
        assert 0 < await gateway.redis.ttl(name) <= REPLACED_TTL_S
    assert not await gateway.writer.remove(gateway.first)


async def test_what_is_missing_shows_by_number_and_size(gateway: Gateway) -> None:
    first = large(gateway, 1)
    second = gateway.snapshot(gateway.second, 2)
    expected = [Expected(stored.header, len(stored.sealed)) for stored in (first, second)]
    assert await gateway.writer.missing(expected) == [gateway.first, gateway.second]
    for stored in (first, second):
        await stored.put(gateway.redis)
    assert await gateway.writer.missing(expected) == []
    await gateway.redis.unlink(keys.snapshot_piece(first.header.snapshot_id, "gzip", 1))
    await gateway.redis.append(keys.snapshot(gateway.second), b"x")
    assert await gateway.writer.missing(expected) == [gateway.first, gateway.second]
    for stored in (first, second):
        await gateway.writer.put_again(stored.header, stored.sealed, stored.pieces())
    assert await gateway.writer.missing(expected) == []
    await gateway.redis.zadd(keys.SNAPSHOT_NUMBERS, {gateway.first: 99})
    assert await gateway.writer.missing(expected) == [gateway.first]
    await gateway.writer.put_again(first.header, first.sealed, first.pieces())
    assert await gateway.writer.missing(expected) == []


@pytest.mark.parametrize("kind", ["list", "text", "inf"])
async def test_what_somebody_else_put_gives_way(gateway: Gateway, reader: SnapshotReader, kind: str) -> None:
    for key in (
        keys.snapshot(gateway.first),
        keys.snapshot_parts(gateway.first),
        keys.SNAPSHOT_NUMBERS,
        keys.SNAPSHOTS_VERSION,
    ):
        if kind == "list":
            await gateway.redis.execute_command("RPUSH", key, "x")  # type: ignore[no-untyped-call]  # redis-py: untyped
        elif kind == "text":
            await gateway.redis.set(key, "9" * 400 + " zstd:999999999999")
        elif key == keys.SNAPSHOT_NUMBERS:
            await gateway.redis.zadd(key, {"x" * 100_000: 1, gateway.second: float("inf"), gateway.first: 0})
    if kind != "inf":
        with pytest.raises(BundleRejected):
            await reader.header(gateway.first)
    await reader.version()
    assert await reader.numbers() == {}
    assert await reader.numbers_of([gateway.first]) == {}
    stored = gateway.snapshot(gateway.first, 1)
    assert await stored.put(gateway.redis)
    assert (await reader.header(gateway.first)).header == stored.header
    assert (await reader.version()).isdigit()
    assert await reader.numbers() == {gateway.first: 1}


async def test_a_flushed_redis_does_not_repeat_a_version(gateway: Gateway, reader: SnapshotReader) -> None:
    seen = set()
    for number in range(1, 4):
        await gateway.put(gateway.first, number)
        seen.add(await reader.version())
        await gateway.redis.flushdb()
        assert await reader.version() == b""
        await asyncio.sleep(0.002)
    assert len(seen) == 3


async def test_pieces_are_read_at_their_size_only(gateway: Gateway, reader: SnapshotReader) -> None:
    stored = await gateway.put(gateway.first, 1)
    name = keys.snapshot_piece(stored.header.snapshot_id, "zstd", 0)
    for body, reason in ((b"x" * (PIECE_BYTES + 10), Reason.DIGEST_MISMATCH), (b"", Reason.MISSING)):
        await gateway.redis.set(name, body)
        with pytest.raises(BundleRejected) as refused:
            await reader.piece(stored.header, "zstd", 0)
        assert refused.value.reason is reason
        assert refused.value.wanted == (f"snapshot:{gateway.first}",)


async def test_two_gateways_do_not_take_each_others(gateway: Gateway) -> None:
    stored = await gateway.put(gateway.first, 1)
    other = SnapshotReader(gateway.redis, gateway.tags, "another-gateway")
    with pytest.raises(BundleRejected) as refused:
        await other.header(gateway.first)
    assert refused.value.reason is Reason.OTHER_GATEWAY
    moved = msgspec.structs.replace(stored.header, endpoint_id=gateway.second)
    assert moved != stored.header
    await gateway.redis.set(keys.snapshot(gateway.second), stored.sealed)
    reader = SnapshotReader(gateway.redis, gateway.tags, gateway.published.gateway_id)
    with pytest.raises(BundleRejected) as refused:
        await reader.header(gateway.second)
    assert refused.value.reason is Reason.OTHER_SUBJECT


async def test_a_writer_can_be_made_without_a_key(gateway: Gateway) -> None:
    """What is altered is put again from Postgres by whoever keeps it: no key is needed for that."""
    stored = gateway.snapshot(gateway.first, 1)
    await SnapshotWriter(gateway.redis).put_again(stored.header, stored.sealed, stored.pieces())
    assert await gateway.writer.missing([Expected(stored.header, len(stored.sealed))]) == []
