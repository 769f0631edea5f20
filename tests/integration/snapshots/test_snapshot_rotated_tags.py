"""Snapshots on a data plane's disk over a rotation of the key that their tags are made with."""

from pathlib import Path

import pytest

from data_plane.snapshots import files
from qg_bundle.rejections import BundleRejected
from qg_bundle.snapshots.codec import open_header
from qg_security.sealing import new_fernet_key
from qg_security.tags import SNAPSHOT_CONTEXT, TagKeys
from tests.integration.snapshots.rig import Gateway, SnapshotNode


def kept_header(node: SnapshotNode) -> bytes:
    (path,) = node.directory.glob(f"*.{files._HEADER}")
    return path.read_bytes()


async def test_what_is_on_disk_serves_with_the_newest_key_alone(gateway: Gateway, tmp_path: Path) -> None:
    new = new_fernet_key()
    both = (new, gateway.published.seal_key)
    newest = TagKeys([new], SNAPSHOT_CONTEXT)
    await gateway.put(gateway.first, 1)
    taken = SnapshotNode(gateway, tmp_path / "node-1")
    await taken.boot()
    await taken.look()
    assert await taken.rows(gateway.first)
    await taken.close()
    with pytest.raises(BundleRejected):
        open_header(newest, gateway.published.gateway_id, gateway.first, kept_header(taken))

    for keys in (both, (new,)):
        node = SnapshotNode(gateway, tmp_path / "node-1", tag_keys=keys)
        await node.boot()
        assert node.saw("snapshot_taken", source="disk") == 1
        assert await node.rows(gateway.first)
        assert open_header(newest, gateway.published.gateway_id, gateway.first, kept_header(node)).number == 1
        await node.close()


async def test_what_is_fetched_under_an_older_key_is_kept_under_the_newest(gateway: Gateway, tmp_path: Path) -> None:
    new = new_fernet_key()
    await gateway.put(gateway.first, 1)
    node = SnapshotNode(gateway, tmp_path / "node-1", tag_keys=(new, gateway.published.seal_key))
    await node.boot()
    await node.look()
    newest = TagKeys([new], SNAPSHOT_CONTEXT)
    assert open_header(newest, gateway.published.gateway_id, gateway.first, kept_header(node)).number == 1
    await node.close()
