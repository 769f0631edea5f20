"""What a node remembers: it boots without Redis, never falls back, and no disk fault stops it."""

import os
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from data_plane.refreshing import chain
from data_plane.refreshing.memory import Memory
from data_plane.refreshing.state_file import BUNDLE_FILE, HIGHEST_FILE, StateFile, StateFileBroken, Update
from qg_bundle import keys
from qg_core.nodes import NodeState
from qg_store.models import Credential, Endpoint
from tests.integration.publishing.rig import GATEWAY, endpoint
from tests.integration.refresh.conftest import Gateway, StartNode

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "node-1"


async def test_a_node_boots_from_disk(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    await gateway.rig.remove(Credential, gateway.credential.id)
    await gateway.rig.add(endpoint(gateway.connection, path="third"))
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    await node.close()
    again = await start_node(gateway.rig.keys, url=NOWHERE)
    assert again.revision == 3
    assert again.paths == {"orders", "public", "third"}
    assert again.refresher.current is not None
    assert again.refresher.current.unusable == ()
    assert again.refresher.state is NodeState.DEAF
    assert again.saw("catalog_swapped", source="disk")
    assert again.saw("redis_lost")
    assert not again.refresher.is_stale(time.time())


async def test_it_is_on_disk_before_it_is_served(gateway: Gateway, start_node: StartNode) -> None:
    """Killed at once after the swap, without any goodbye."""
    node = await start_node(gateway.rig.keys)
    await gateway.rig.remove(Endpoint, gateway.orders.id)
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    assert node.paths == {"public"}
    node.refresher._memory._file.close()  # a killed process leaves its lock, too
    again = await start_node(gateway.rig.keys, url=NOWHERE)
    assert again.paths == {"public"}


async def test_old_state_in_redis_is_refused_by_a_node_that_remembers(
    gateway: Gateway, start_node: StartNode, disk: Path
) -> None:
    rig = gateway.rig
    names = (keys.HEAD, keys.BEACON, keys.CHECKPOINT_NEWEST, keys.checkpoint(1))
    saved = {name: await rig.redis.get(name) for name in names}
    node = await start_node(rig.keys)
    await rig.remove(Credential, gateway.credential.id)
    await rig.parts.activation.run()
    await node.refresher.look()
    await node.close()
    # The bundle is lost, the number is not.
    (disk / BUNDLE_FILE).unlink()
    for name, body in saved.items():
        await rig.redis.set(name, body)
    again = await start_node(rig.keys)
    assert again.refresher.current is None
    assert (again.reporting.report().last_error or "").startswith("older")
    assert again.refresher.highest == 2


@pytest.mark.parametrize("damage", ["empty", "noise", "cut", "flip"])
async def test_a_damaged_bundle_is_reported_and_ignored(
    gateway: Gateway, start_node: StartNode, disk: Path, damage: str
) -> None:
    node = await start_node(gateway.rig.keys)
    await node.close()
    path = disk / BUNDLE_FILE
    body = path.read_bytes()
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "noise":
        path.write_bytes(os.urandom(len(body)))
    elif damage == "cut":
        path.write_bytes(body[: len(body) // 2])
    else:
        at = body.index(b"querygateway/checkpoint/1") + 200
        path.write_bytes(body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
    offline = await start_node(gateway.rig.keys, url=NOWHERE)
    assert offline.refresher.current is None
    if damage in {"noise", "cut"}:
        assert offline.saw("state_file_failed", reason="corrupt")
    if damage == "flip":
        assert offline.saw("catalog_rejected", reason="signature_invalid")
    await offline.close()
    online = await start_node(gateway.rig.keys)
    assert online.revision == 1
    await online.close()
    assert (await start_node(gateway.rig.keys, url=NOWHERE)).revision == 1


async def test_a_damaged_spec_on_disk_closes_one_endpoint_until_redis_is_back(
    gateway: Gateway, start_node: StartNode, disk: Path
) -> None:
    node = await start_node(gateway.rig.keys)
    await node.close()
    with sqlite3.connect(disk / BUNDLE_FILE) as connection:
        connection.execute(
            'UPDATE specs SET body = CAST(replace(body, \'"path":"public"\', \'"path":"hacked"\') AS BLOB)'
        )
    connection.close()
    offline = await start_node(gateway.rig.keys, url=NOWHERE)
    assert offline.paths == {"orders"}
    assert offline.refresher.current is not None
    assert [item.reason for item in offline.refresher.current.unusable] == ["missing_spec"]
    await offline.close()
    online = await start_node(gateway.rig.keys)
    assert online.paths == {"orders", "public"}
    assert online.refresher.current is not None
    assert online.refresher.current.unusable == ()


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\x00", b'{"gateway_id":"gw-test","revision":"x","saved_at":1}'])
async def test_a_damaged_number_is_reported_and_ignored(
    gateway: Gateway, start_node: StartNode, disk: Path, body: bytes
) -> None:
    node = await start_node(gateway.rig.keys)
    await node.close()
    (disk / HIGHEST_FILE).write_bytes(body)
    again = await start_node(gateway.rig.keys)
    assert again.saw("state_file_failed", reason="corrupt")
    assert again.revision == 1


async def test_a_full_disk_does_not_stop_a_node(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    connection = node.refresher._memory._file._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    big = endpoint(gateway.connection, path="big", sql_text="select '" + "x" * 60_000 + "' from dual")
    await gateway.rig.add(big)
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    assert node.paths == {"orders", "public", "big"}
    assert node.saw("state_file_failed", reason="disk_full")
    # Room again: the next revision brings what waited along.
    connection.execute("PRAGMA max_page_count = 100000")
    await gateway.rig.add(endpoint(gateway.connection, path="small"))
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    await node.close()
    again = await start_node(gateway.rig.keys, url=NOWHERE)
    assert again.paths == {"orders", "public", "big", "small"}


async def test_a_directory_that_cannot_be_written_does_not_stop_a_node(
    gateway: Gateway, start_node: StartNode, tmp_path: Path
) -> None:
    (tmp_path / "node-1").write_text("a file where the directory should be")
    node = await start_node(gateway.rig.keys)
    assert node.revision == 1
    assert node.saw("state_file_failed")


async def test_two_nodes_do_not_share_a_directory(gateway: Gateway, start_node: StartNode) -> None:
    one = await start_node(gateway.rig.keys)
    two = await start_node(gateway.rig.keys)
    assert two.saw("state_file_failed", reason="shared_by_another_process")
    assert (one.revision, two.revision) == (1, 1)


async def test_a_directory_is_taken_over_when_its_holder_is_gone(gateway: Gateway, start_node: StartNode) -> None:
    """A successor starts while its predecessor still drains."""
    one = await start_node(gateway.rig.keys)
    two = await start_node(gateway.rig.keys)
    await one.close()
    await gateway.rig.add(endpoint(gateway.connection, path="third"))
    await gateway.rig.parts.activation.run()
    await two.refresher.look()
    memory = two.refresher._memory
    memory._beacon_saved_at = float("-inf")
    await two.refresher.look()
    assert not memory.needs_everything
    await two.close()
    again = await start_node(gateway.rig.keys, url=NOWHERE)
    assert again.paths == {"orders", "public", "third"}
    assert again.refresher.current is not None
    assert again.refresher.current.unusable == ()


async def test_only_the_owner_may_read_it(gateway: Gateway, start_node: StartNode, disk: Path) -> None:
    await start_node(gateway.rig.keys)
    assert modes_of(disk) == (0o700, {0o600})


def modes_of(directory: Path) -> tuple[int, set[int]]:
    files = {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    return stat.S_IMODE(directory.stat().st_mode), files


async def test_another_gateways_state_is_ignored(gateway: Gateway, start_node: StartNode, disk: Path) -> None:
    file = StateFile(disk, "gw-other")
    file.open()
    file.save(Update(revision=99, checkpoint=(99, b"x"), deltas=(), specs={}, dropped=()))
    file.write_highest(99, time.time())
    file.close()
    node = await start_node(gateway.rig.keys)
    assert node.revision == 1
    assert node.saw("state_file_failed", reason="other_gateway")
    with pytest.raises(StateFileBroken):
        StateFile(disk / "none", GATEWAY).load()


async def test_staleness_counts_across_restarts(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys, staleness_max_s=3_600.0)
    assert not node.refresher.is_stale(time.time())
    await node.close()
    again = await start_node(gateway.rig.keys, url=NOWHERE, staleness_max_s=3_600.0)
    assert not again.refresher.is_stale(time.time())
    assert again.refresher.is_stale(time.time() + 3_700)
    await again.close()
    short = await start_node(gateway.rig.keys, url=NOWHERE, staleness_max_s=0.001)
    assert short.refresher.is_stale(time.time())
    assert short.refresher.state is NodeState.STALE
    await short.close()
    off = await start_node(gateway.rig.keys, url=NOWHERE, staleness_max_s=None)
    assert not off.refresher.is_stale(time.time() + 1e9)


async def test_a_long_chain_is_shortened(
    gateway: Gateway, start_node: StartNode, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "DELTAS_MAX", 50)
    node = await start_node(gateway.rig.keys)
    for number in range(69):
        await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=10 + number)
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    assert node.revision == 70
    await node.close()
    with sqlite3.connect(disk / BUNDLE_FILE) as connection:
        (deltas,) = connection.execute("SELECT count(*) FROM chain WHERE kind = 'delta'").fetchone()
        (specs,) = connection.execute("SELECT count(*) FROM specs").fetchone()
    connection.close()
    assert deltas == 6
    assert specs == 5
    assert (await start_node(gateway.rig.keys, url=NOWHERE)).revision == 70


async def test_after_long_failure_everything_is_written_afresh(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    memory: Memory = node.refresher._memory
    memory.needs_everything = True
    for number in range(63):
        await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=10 + number)
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    assert not memory.needs_everything
    await node.close()
    again = await start_node(gateway.rig.keys, url=NOWHERE)
    assert again.revision == 64
    assert again.refresher.current is not None
    assert again.refresher.current.unusable == ()
