"""The Redis user that docs/installation.md gives to data planes: enough for all they do, and for nothing more."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from qg_bundle import keys
from qg_core.specs import SpecKind
from qg_devstack.hand_published import HandPublished
from tests.fixtures.redis import StartRedis
from tests.integration.data_plane.node_process import NodeProcess, free_ports
from tests.integration.snapshots.rig import Gateway
from tests.support.waiting import wait_until

PAGE = Path(__file__).parents[3] / "docs" / "installation.md"
PASSWORD = "node-password"


def rights_of_a_node() -> list[str]:
    found = re.search(r"ACL SETUSER gateway_node +on >\.\.\. ([^`]+?)\n```", PAGE.read_text(encoding="utf-8"))
    assert found is not None, "the page has no such line"
    return found[1].split()


def test_a_node_is_refused_nothing_and_may_write_little(start_redis: StartRedis, tmp_path: Path) -> None:
    address = start_redis().address
    admin: Any = Redis.from_url(address.url())  # redis-py: its types know of no synchronous client
    admin.execute_command("ACL", "SETUSER", "gateway_node", "on", f">{PASSWORD}", *rights_of_a_node())
    own_url = f"redis://gateway_node:{PASSWORD}@{address.host}:{address.port}/0"
    published = HandPublished(address.url())
    first = asyncio.run(_published(published, 1))
    port, ops_port = free_ports(2)
    environ = {**published.environ(str(tmp_path / "state"), port, ops_port), "REDIS_URL": own_url, "NODE_NAME": "one"}
    node = NodeProcess(environ, port, ops_port, tmp_path / "log")
    try:
        node.wait_until_ready()
        assert node.get("first").json()["data"] == [{"NUMBER": 1}]
        wait_until(lambda: admin.pubsub_numsub(keys.HINT)[0][1] == 1, "it listens to hints")
        published.change(SpecKind.ENDPOINT, first, version="v2")
        revision = str(asyncio.run(published.publish()))
        assert node.get("first", X_QG_Min_Revision=revision).json()["meta"]["version"] == "v2"
        wait_until(lambda: admin.zscore(keys.NODES, "one") is not None, "its report")
        wait_until(lambda: admin.xlen(keys.ACCESS) > 0, "its access events")
    finally:
        node.stop()
    assert admin.zscore(keys.NODES, "one") is None, "it took itself off the list"
    assert admin.acl_log() == []
    admin.close()
    with Redis.from_url(own_url) as own:
        for write in (
            lambda: own.set(keys.HEAD, "9"),
            lambda: own.set(keys.snapshot(first), b"forged"),
            lambda: own.unlink(keys.BEACON),
            lambda: own.hset(keys.ACCESS_PERSISTED, "a", "1"),
            lambda: own.publish(keys.HINT, "9"),
            own.flushdb,
            lambda: own.keys("*"),
        ):
            with pytest.raises(NoPermissionError):
                write()


async def _published(published: HandPublished, number: int) -> str:
    """A gateway with one snapshot; the id of its endpoint."""
    gateway = Gateway(published)
    try:
        await published.publish()
        await gateway.put(gateway.first, number)
        return gateway.first
    finally:
        await gateway.close()
