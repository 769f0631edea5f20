"""Snapshots that somebody altered in Redis, or put back there: refused, asked for, and what is good stays served."""

import time

import msgspec
import pytest

from data_plane.snapshots.follower import CLOCKS_DIFFER_MAX_S
from qg_bundle import keys
from qg_bundle.snapshots.codec import Envelope
from qg_core.snapshots import NUMBER_MAX
from qg_devstack.hand_stored import HandStored
from tests.integration.snapshots.conftest import StartNode
from tests.integration.snapshots.rig import Gateway, looks_until, missing, rows_of
from tests.support.waiting import until


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
    await until(lambda: len(node.snapshot_ids()) == 1)  # nothing of what was refused stays on disk; a thread removes it
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


async def test_a_snapshot_from_the_future_is_refused(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    await gateway.put(gateway.first, 2, created_at=time.time() + CLOCKS_DIFFER_MAX_S + 60)
    await node.look()
    assert node.saw("snapshot_rejected", reason="from_the_future", endpoint_id=gateway.first) == 1
    assert await node.rows(gateway.first) == rows_of(1)


async def test_a_forged_snapshot_with_the_highest_number_gives_way_to_the_next_run(
    gateway: Gateway, start_node: StartNode
) -> None:
    """Somebody had the key of the tags for a while: what is forged lasts no longer than to the next honest snapshot."""
    node = await start_node()
    await gateway.put(gateway.first, NUMBER_MAX)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(NUMBER_MAX)
    honest = gateway.snapshot(gateway.first, 2)
    await gateway.writer.put_again(honest.header, honest.sealed, honest.pieces())
    await looks_until(node, lambda: node.saw("snapshot_taken") == 2)
    assert await node.rows(gateway.first) == rows_of(2)
