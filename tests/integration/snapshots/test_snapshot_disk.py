"""Snapshots on a node's disk: found again, verified again, bounded, and nothing left behind."""

import asyncio
import errno
import threading
from pathlib import Path

import msgspec
import pytest

from data_plane.snapshots import files
from qg_core.snapshots import PIECE_BYTES
from qg_core.specs import SpecKind
from tests.integration.snapshots.conftest import StartNode
from tests.integration.snapshots.rig import Gateway, large_rows, missing, rows_of
from tests.support.waiting import until


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
    assert len(node.snapshot_ids()) == 1
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


async def test_a_file_that_goes_is_fetched_again(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(cache_bytes=0)
    await gateway.put(gateway.first, 1)
    await node.look()
    (path,) = node.directory.glob("*.gzip")
    path.write_bytes(b"torn")
    assert await missing(node, gateway.first, "gzip")
    assert node.saw("snapshot_files_failed", reason="altered") == 1
    await node.look()
    assert msgspec.json.decode(await node.text(gateway.first, "gzip"))["data"] == rows_of(1)


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
        assert await missing(node, gateway.first, "zstd")
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


async def test_what_does_not_fit_is_not_fetched(gateway: Gateway, start_node: StartNode) -> None:
    """Again and again it would be: a part of it would fit."""
    node = await start_node(disk_bytes_max=65_536)
    stored = await gateway.put(gateway.first, 1, large_rows(80_000))
    assert max(body.size for body in stored.header.encodings.values()) < 65_536 < stored.header.stored_bytes
    await gateway.redis.config_resetstat()
    await node.look()
    assert node.saw("snapshot_files_failed", reason="disk_full") == 1
    statistics = await gateway.redis.info("commandstats")
    assert statistics["cmdstat_getrange"]["calls"] == 4, "head, beacon, version and the header"


async def test_what_is_fetched_again_takes_its_own_place(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(disk_bytes_max=131_072, cache_bytes=0)
    stored = await gateway.put(gateway.first, 1, large_rows(80_000))
    assert 2 * stored.header.stored_bytes > 131_072
    await node.look()
    (path,) = node.directory.glob("*.gzip")
    path.write_bytes(b"torn")
    assert await missing(node, gateway.first, "gzip")
    await node.look()
    assert not await missing(node, gateway.first, "gzip")


async def test_a_text_whose_snapshot_is_replaced_while_it_is_decoded_leaves_no_file(
    gateway: Gateway, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(cache_bytes=100_000)
    await gateway.put(gateway.first, 1, large_rows(500_000))
    await node.look()
    begun, go_on = threading.Event(), threading.Event()

    def slow(text: files.Text) -> bytes:
        begun.set()
        go_on.wait(10)
        return text.read(files.READ_BYTES)

    monkeypatch.setattr(files, "next_bytes", slow)
    asked = asyncio.create_task(node.rows(gateway.first))
    try:
        await until(begun.is_set)
        await gateway.put(gateway.first, 2)
        await node.look()
    finally:
        go_on.set()
    assert await asked == rows_of(2)
    assert len(node.snapshot_ids()) == 1
    assert not any(name.endswith("identity") for name in node.files())
