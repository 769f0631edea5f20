"""A node's snapshots: taken when they verify and a route serves them, kept when Redis, the disk or an attacker fail."""

import asyncio
import errno
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from data_plane.snapshots import follower, rejected
from qg_bundle import keys
from qg_bundle.snapshots.codec import Envelope
from qg_core.errors import ConnectionUnavailable, EndpointBusy, NodeBusy, SnapshotMissing
from qg_core.snapshots import PIECE_BYTES
from qg_core.specs import SpecKind
from qg_devstack.hand_published import HandPublished
from qg_devstack.hand_stored import HandStored
from qg_devstack.servers import RedisOptions
from tests.fixtures.redis import StartRedis
from tests.integration.snapshots.conftest import StartNode
from tests.integration.snapshots.rig import Gateway, SnapshotNode
from tests.support.waiting import until

RANDOM = random.Random(11)


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejected, "RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(rejected, "RETRY_MAX_S", 0.1)


def rows_of(number: int) -> list[dict[str, int]]:
    return [{"NUMBER": number}]


def large_rows(size: int) -> bytes:
    """One row that does not compress."""
    return b'{"TEXT":"%b"}' % RANDOM.randbytes(size // 2).hex().encode()


async def looks_until(node: SnapshotNode, condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        await node.look()
        return condition()

    await until(holds)


async def missing(node: SnapshotNode, endpoint_id: str) -> bool:
    return await missing_encoded(node, endpoint_id, "")


async def missing_encoded(node: SnapshotNode, endpoint_id: str, encoding: str) -> bool:
    try:
        await node.answer(endpoint_id, accept_encoding=encoding)
    except SnapshotMissing as error:
        return int(error.headers["Retry-After"]) > 0
    return False


async def test_a_snapshot_is_served_from_the_next_look_on(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    assert await missing(node, gateway.first)
    await gateway.put(gateway.first, 1)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1)
    assert await missing(node, gateway.second)
    await gateway.put(gateway.first, 2)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(2)
    assert node.files() == {f"{name}.{kind}" for name in _ids(node) for kind in ("header", "zstd", "gzip")}
    assert node.saw("snapshot_taken", source="redis") == 2


def _ids(node: SnapshotNode) -> set[str]:
    return {path.name.split(".")[1] for path in node.directory.iterdir()}


async def test_a_following_node_takes_it_within_two_seconds(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(follow=True)
    await gateway.put(gateway.first, 1)
    taken_s = await until(lambda: node.saw("snapshot_taken") == 1)
    assert taken_s < 2 * follower.TICK_S


async def test_nothing_is_fetched_twice(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1, large_rows(3 * PIECE_BYTES))
    await node.look()
    await gateway.redis.config_resetstat()
    for _ in range(5):
        await node.look()
        await node.text(gateway.first, "gzip")
        await node.text(gateway.first)
    statistics = await gateway.redis.info("commandstats")
    # Head, beacon and version: nothing else is read while nothing changes, however many ask.
    assert statistics["cmdstat_getrange"]["calls"] == 3 * 5


async def test_a_flushed_redis_leaves_what_is_served(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    stored = await gateway.put(gateway.first, 3)
    await node.look()
    await gateway.redis.flushdb()
    await node.look()
    assert await node.rows(gateway.first) == rows_of(3)
    older = gateway.snapshot(gateway.first, 2, created_at=stored.header.created_at - 10)
    await older.put(gateway.redis)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(3)
    assert node.saw("snapshot_rejected", reason="older") == 1
    assert node.reporting.report().wanted == (f"snapshot:{gateway.first}",)
    await stored.put(gateway.redis)
    await looks_until(node, lambda: node.reporting.report().wanted == ())
    await gateway.put(gateway.first, 4)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(4)


async def test_an_old_snapshot_that_is_put_back_is_not_taken_by_a_new_node(
    gateway: Gateway, start_node: StartNode
) -> None:
    older = await gateway.put(gateway.first, 1)
    newer = await gateway.put(gateway.first, 2)
    await gateway.redis.set(keys.snapshot(gateway.first), older.sealed)
    async for encoding, number, piece in older.pieces():
        await gateway.redis.set(keys.snapshot_piece(older.header.snapshot_id, encoding, number), piece)
    node = await start_node()
    assert await missing(node, gateway.first)
    assert node.saw("snapshot_rejected", reason="older") == 1
    assert node.snapshots.follower.wanted == (f"snapshot:{gateway.first}",)
    await gateway.writer.put_again(newer.header, newer.sealed, newer.pieces())
    await looks_until(node, lambda: node.saw("snapshot_taken") == 1)
    assert await node.rows(gateway.first) == rows_of(2)


async def test_after_a_restore_of_postgres_later_snapshots_are_taken(gateway: Gateway, start_node: StartNode) -> None:
    """Numbers begin again from the backup's; the time of the snapshot goes on."""
    node = await start_node()
    await gateway.put(gateway.first, 50)
    await node.look()
    later = gateway.snapshot(gateway.first, 12)
    await gateway.writer.put_again(later.header, later.sealed, later.pieces())
    await node.look()
    assert await node.rows(gateway.first) == rows_of(12)


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
async def test_an_altered_piece_is_refused_and_asked_for(
    gateway: Gateway, start_node: StartNode, encoding: str
) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    stored = await gateway.put(gateway.first, 2)
    name = keys.snapshot_piece(stored.header.snapshot_id, encoding, 0)
    body = bytearray(stored.bodies[encoding])
    body[-1] ^= 1
    await gateway.redis.set(name, bytes(body))
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1), "the last good one is still served"
    assert node.saw("snapshot_rejected", reason="digest_mismatch", endpoint_id=gateway.first) == 1
    report = node.reporting.report()
    assert report.wanted == (f"snapshot:{gateway.first}",)
    assert report.last_error is not None
    assert "digest_mismatch" in report.last_error
    await until(lambda: len(_ids(node)) == 1)  # nothing of what was refused stays on disk; a thread removes it
    await gateway.writer.put_again(stored.header, stored.sealed, stored.pieces())
    await looks_until(node, lambda: node.reporting.report().wanted == ())
    assert await node.rows(gateway.first) == rows_of(2)
    assert node.saw("snapshot_rejected") == 1, "told once, not with every attempt"


@pytest.mark.parametrize("how", ["row_count", "tag", "garbage", "gone", "other_endpoint"])
async def test_an_altered_header_is_refused(gateway: Gateway, start_node: StartNode, how: str) -> None:
    node = await start_node()
    stored = gateway.snapshot(gateway.first, 1)
    await stored.put(gateway.redis)
    sealed = _altered(gateway, stored, how)
    if sealed:
        await gateway.redis.set(keys.snapshot(gateway.first), sealed)
    else:
        await gateway.redis.unlink(keys.snapshot(gateway.first))
    await node.look()
    assert await missing(node, gateway.first)
    assert node.saw("snapshot_rejected") == 1
    assert node.reporting.report().wanted == (f"snapshot:{gateway.first}",)


def _altered(gateway: Gateway, stored: HandStored, how: str) -> bytes:
    envelope = msgspec.msgpack.decode(stored.sealed, type=Envelope)
    if how == "row_count":
        payload = envelope.payload.replace(b'"row_count":1', b'"row_count":9')
        assert payload != envelope.payload
        return msgspec.msgpack.encode(Envelope(payload, envelope.tag))
    if how == "tag":
        return msgspec.msgpack.encode(Envelope(envelope.payload, bytes(32)))
    if how == "other_endpoint":
        return gateway.snapshot(gateway.second, 1).sealed
    return b"garbage" if how == "garbage" else b""


async def test_another_producer_is_not_served(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1)
    gateway.published.change(SpecKind.ENDPOINT, gateway.first, sql_text="select 'changed' as label from dual")
    await gateway.published.publish()
    await node.look()
    assert await missing(node, gateway.first)
    old = await gateway.put(gateway.first, 2, producer="0" * 64)
    await node.look()
    assert await missing(node, gateway.first)
    assert not node.saw("snapshot_rejected"), "it was made before the change: nothing is wrong with it"
    await gateway.put(gateway.first, old.header.number + 1)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(3)


async def test_a_snapshot_that_comes_before_its_revision(gateway: Gateway, start_node: StartNode) -> None:
    """A worker may be quicker than this node: the one that is served stays until the catalog follows."""
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    gateway.published.change(SpecKind.ENDPOINT, gateway.first, rows_max=17)
    await gateway.put(gateway.first, 2)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1)
    await gateway.published.publish()
    await node.look()
    assert await node.rows(gateway.first) == rows_of(2)


async def test_what_changes_no_row_keeps_the_snapshot(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    before = dict((await node.answer(gateway.first)).headers)[b"etag"]
    gateway.published.change(SpecKind.ENDPOINT, gateway.first, version="v2", is_deprecated=True)
    await gateway.published.publish()
    await node.look()
    answer = await node.answer(gateway.first)
    assert dict(answer.headers)[b"deprecation"] == b"true"
    assert dict(answer.headers)[b"etag"] != before, "its meta has changed"
    assert msgspec.json.decode(answer.body or b"")["meta"]["version"] == "v2"


async def test_without_its_connection_it_is_as_unavailable_as_a_live_one(
    gateway: Gateway, start_node: StartNode
) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    connection = gateway.published.specs[SpecKind.CONNECTION, gateway.connection]
    gateway.published.remove(SpecKind.CONNECTION, gateway.connection)
    await gateway.published.publish()
    await node.look()
    with pytest.raises(ConnectionUnavailable):
        await node.answer(gateway.first)
    gateway.published.put(connection)
    await gateway.published.publish()
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1), "its files were kept"
    assert node.saw("snapshot_taken") == 1


async def test_a_restart_without_redis_serves_from_the_disk(gateway: Gateway, start_node: StartNode) -> None:
    await gateway.put(gateway.first, 1)
    await gateway.put(gateway.second, 2, large_rows(2 * PIECE_BYTES))
    node = await start_node()
    await node.close()
    await gateway.redis.flushdb()
    again = await start_node()
    assert again.saw("snapshot_taken", source="disk") == 2
    assert await again.rows(gateway.first) == rows_of(1)
    assert len(await again.text(gateway.second, "zstd")) > 2 * PIECE_BYTES


@pytest.mark.parametrize("what", ["zstd", "gzip", "header", "cut", "foreign"])
async def test_what_is_altered_on_disk_is_not_served(gateway: Gateway, start_node: StartNode, what: str) -> None:
    await gateway.put(gateway.first, 1)
    node = await start_node()
    await node.close()
    await gateway.redis.flushdb()
    suffix = {"cut": "zstd", "foreign": "header"}.get(what, what)
    (path,) = node.directory.glob(f"*.{suffix}")
    body = bytearray(path.read_bytes())
    if what == "foreign":
        path.write_bytes(gateway.snapshot(gateway.first, 9).sealed)
    elif what == "cut":
        path.write_bytes(bytes(body[:-1]))
    else:
        body[len(body) // 2] ^= 1
        path.write_bytes(bytes(body))
    again = await start_node()
    assert await missing(again, gateway.first)
    assert again.saw("snapshot_files_failed") + again.saw("snapshot_rejected") == 1
    assert not list(again.directory.iterdir()), "nothing of it stays"


async def test_strangers_in_the_directory_are_cleared_away(gateway: Gateway, start_node: StartNode) -> None:
    await gateway.put(gateway.first, 1)
    node = await start_node()
    await node.close()
    (header,) = node.directory.glob("*.header")
    orphan = "00000000-0000-4000-8000-00000000000a.00000000-0000-4000-8000-00000000000b"
    for name in (f"{header.name}.123.part", f"{orphan}.zstd", "strange", f"{header.name}.identity"):
        (node.directory / name).write_bytes(b"x")
    (node.directory / f"{orphan}.header").symlink_to("/etc/passwd")
    again = await start_node()
    assert await again.rows(gateway.first) == rows_of(1)
    assert len(list(again.directory.iterdir())) == 3


async def test_what_no_route_serves_goes(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await gateway.put(gateway.second, 2)
    await node.look()
    gateway.published.remove(SpecKind.ENDPOINT, gateway.second)
    await gateway.published.publish()
    await node.look()
    assert len(_ids(node)) == 1
    assert await node.rows(gateway.first) == rows_of(1)


async def test_a_full_disk_keeps_what_is_served(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(disk_bytes_max=65_536)
    await gateway.put(gateway.first, 1)
    await node.look()
    too_large = await gateway.put(gateway.first, 2, large_rows(100_000))
    assert too_large.header.stored_bytes > 65_536
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1)
    assert node.saw("snapshot_files_failed", reason="disk_full", endpoint_id=gateway.first) == 1
    report = node.reporting.report()
    assert "disk_full" in (report.last_error or "")
    assert report.wanted == (), "putting it again would not help"
    assert sum(path.stat().st_size for path in node.directory.iterdir()) <= 65_536
    await gateway.put(gateway.first, 3)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(3)


async def test_a_directory_that_can_not_be_used_is_told_once(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await node.close()
    for path in node.directory.iterdir():
        path.unlink()
    node.directory.rmdir()
    node.directory.write_bytes(b"a file where the directory should be")
    again = await start_node()
    await again.look()
    assert again.saw("snapshot_files_failed", reason="unusable") == 1
    assert await missing(again, gateway.first)
    node.directory.unlink()
    await gateway.put(gateway.first, 1)
    await again.look()
    assert await again.rows(gateway.first) == rows_of(1)


async def test_a_plain_text_gives_way_to_a_snapshot(gateway: Gateway, start_node: StartNode) -> None:
    rows = b",".join(b'{"N":%d}' % number for number in range(100_000))
    node = await start_node(disk_bytes_max=2_500_000, cache_bytes=1_000_000)
    await gateway.put(gateway.first, 1, rows)
    await node.look()
    await node.text(gateway.first)
    assert any(name.endswith("identity") for name in node.files())
    await gateway.put(gateway.second, 2, large_rows(1_000_000))
    await node.look()
    assert node.saw("snapshot_files_failed") == 0
    assert not any(name.endswith("identity") for name in node.files())
    assert len(await node.text(gateway.first)) > len(rows), "decoded while it is sent"
    assert len(await node.text(gateway.second)) > 1_000_000


@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
@pytest.mark.parametrize("cache_bytes", [0, 100_000, 8_388_608])
async def test_every_encoding_from_memory_and_from_files(
    gateway: Gateway, start_node: StartNode, encoding: str, cache_bytes: int
) -> None:
    """Small ones whole, large ones in pieces; the text is the same."""
    node = await start_node(cache_bytes=cache_bytes)
    small = await gateway.put(gateway.first, 1)
    rows = b",".join(b'{"N":%d,"TEXT":"\xc3\xa4"}' % number for number in range(100_000))
    await gateway.put(gateway.second, 2, rows, row_count=100_000, truncated=True)
    await node.look()
    for _ in range(2):
        answer = msgspec.json.decode(await node.text(gateway.first, encoding))
        assert answer["data"] == rows_of(1)
        assert answer["meta"]["row_count"] == small.header.row_count
        text = await node.text(gateway.second, encoding)
        assert text.startswith(b'{"data":[' + rows + b"],")
        meta = msgspec.json.decode(text)["meta"]
        assert (meta["row_count"], meta["truncated"]) == (100_000, True)
    assert node.snapshots._memory.used_bytes <= cache_bytes


async def test_a_file_that_goes_is_fetched_again(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(cache_bytes=0)
    await gateway.put(gateway.first, 1)
    await node.look()
    (path,) = node.directory.glob("*.gzip")
    path.write_bytes(b"torn")
    assert await missing_encoded(node, gateway.first, "gzip")
    assert node.saw("snapshot_files_failed", reason="altered") == 1
    await node.look()
    assert msgspec.json.decode(await node.text(gateway.first, "gzip"))["data"] == rows_of(1)


async def test_a_hundred_requests_wait_for_one_reading(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1, large_rows(500_000))
    await node.look()
    reads: list[str] = []
    whole = node.snapshots._files.whole

    def counted(header: object, encoding: str) -> bytes:
        reads.append(encoding)
        return whole(header, encoding)  # type: ignore[arg-type]  # handed through

    node.snapshots._files.whole = counted  # type: ignore[method-assign]  # counts, and does the same
    texts = await asyncio.gather(*(node.text(gateway.first, "zstd") for _ in range(100)))
    assert len(set(texts)) == 1
    assert reads == ["zstd"]


async def test_the_age_grows_and_the_answer_of_a_second_is_kept(
    gateway: Gateway, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node()
    stored = await gateway.put(gateway.first, 1, created_at=1_700_000_000.123)
    await node.look()
    now = stored.header.created_at
    monkeypatch.setattr("data_plane.snapshots.answer.time.time", lambda: now)
    assert await _age(node, gateway.first) == 0
    first = await node.answer(gateway.first)
    assert await node.answer(gateway.first) is first, "made once within a second"
    now += 61.5
    assert await _age(node, gateway.first) == 61
    now -= 600
    assert await _age(node, gateway.first) == 0, "a clock behind the worker's"
    meta = msgspec.json.decode(await node.text(gateway.first))["meta"]
    assert meta["snapshot_created_at"] == "2023-11-14T22:13:20.123Z"
    assert list(meta) == [
        "row_count",
        "snapshot_created_at",
        "snapshot_age_seconds",
        "endpoint",
        "version",
        "data_strategy",
        "truncated",
    ]


async def _age(node: SnapshotNode, endpoint_id: str) -> int:
    return int(msgspec.json.decode(await node.text(endpoint_id))["meta"]["snapshot_age_seconds"])


@pytest.mark.parametrize("cache_bytes", [0, 64_000_000])
async def test_slow_readers_leave_places_to_others(gateway: Gateway, start_node: StartNode, cache_bytes: int) -> None:
    node = await start_node(cache_bytes=cache_bytes, in_flight_max=8)
    for number, endpoint_id in enumerate((gateway.first, gateway.second), 1):
        await gateway.put(endpoint_id, number, large_rows(1_000_000))
    await node.look()
    sent = [await node.answer(gateway.first) for _ in range(2)]
    for _ in range(3):
        with pytest.raises(EndpointBusy):
            await node.answer(gateway.first)
    assert (await node.answer(gateway.first, "HEAD")).body is None
    sent += [await node.answer(gateway.second) for _ in range(2)]
    for answer in sent:
        assert answer.large is not None
        answer.large.close()
    for _ in range(10):
        assert len(await node.text(gateway.first)) > 1_000_000
    assert node.saw("snapshot_files_failed") == 0


async def test_all_large_answers_together_take_half_of_the_places(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(in_flight_max=2)
    for number, endpoint_id in enumerate((gateway.first, gateway.second), 1):
        await gateway.put(endpoint_id, number, large_rows(1_000_000))
    await node.look()
    answer = await node.answer(gateway.first)
    assert answer.large is not None
    with pytest.raises(NodeBusy):
        await node.answer(gateway.second)
    answer.large.close()
    assert await node.rows(gateway.second)


async def test_too_many_open_files_cost_no_snapshot(
    gateway: Gateway, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(cache_bytes=0)
    await gateway.put(gateway.first, 1)
    await node.look()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        assert await missing_encoded(node, gateway.first, "zstd")
    assert await node.rows(gateway.first, "zstd") == rows_of(1)
    assert node.saw("snapshot_taken") == 1
    assert node.saw("snapshot_files_failed", reason="too_many_open") >= 1


async def test_a_snapshot_that_is_replaced_while_it_is_sent(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(cache_bytes=0)
    rows = large_rows(2_000_000)
    await gateway.put(gateway.first, 1, rows)
    await node.look()
    answer = await node.answer(gateway.first, accept_encoding="zstd")
    assert answer.large is not None
    sent = await answer.large.next_piece()
    await gateway.put(gateway.first, 2)
    await node.look()
    while piece := await answer.large.next_piece():
        sent += piece
    answer.large.close()
    assert len(sent) == answer.large.size
    assert await node.rows(gateway.first) == rows_of(2)


async def test_a_node_survives_a_redis_that_goes_and_comes(start_redis: StartRedis, tmp_path: Path) -> None:
    server = start_redis(RedisOptions(append_only=True))
    gateway = Gateway(HandPublished(server.address.url()))
    await gateway.published.publish()
    node = SnapshotNode(gateway, tmp_path)
    await node.boot(follow=True)
    try:
        await gateway.put(gateway.first, 1)
        await until(lambda: node.saw("snapshot_taken") == 1)
        server.kill()
        await until(lambda: node.saw("redis_lost") == 1)
        await node.look()
        assert await node.rows(gateway.first) == rows_of(1)
        server.start()
        await until(lambda: node.saw("redis_found") == 1)
        await gateway.put(gateway.first, 2)
        await until(lambda: node.saw("snapshot_taken") == 2)
        assert await node.rows(gateway.first) == rows_of(2)
        assert not node.saw("unforeseen_error")
    finally:
        await node.close()
        await gateway.close()
