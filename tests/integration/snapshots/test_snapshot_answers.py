"""What a node answers from its snapshots: every encoding, the age, and places left to others."""

import asyncio

import msgspec
import pytest

from qg_core.errors import EndpointBusy, NodeBusy
from tests.integration.snapshots.conftest import StartNode
from tests.integration.snapshots.rig import Gateway, SnapshotNode, large_rows, rows_of


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
