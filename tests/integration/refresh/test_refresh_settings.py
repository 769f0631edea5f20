"""Stored settings travel in the revision, stay on a node's disk, and go when nothing is stored any more."""

from control_plane.actors import SYSTEM
from qg_core.gateway_settings import settings_spec
from qg_core.specs import SETTINGS_ID, SettingsSpec, SpecKind
from qg_store.repositories import settings
from tests.integration.refresh.conftest import Gateway, StartNode
from tests.integration.refresh.nodes import Node

NOWHERE = "redis://127.0.0.1:1/0"


async def store(gateway: Gateway, key: str, value: int | None) -> None:
    async with gateway.rig.publishing.change(SYSTEM) as change:
        if value is None:
            await settings.forget(change.session, key)
        else:
            await settings.put(change.session, key, value, "ada")
        change.touch(SpecKind.SETTINGS, SETTINGS_ID)
    await gateway.rig.parts.activation.run()


def served(node: Node) -> SettingsSpec | None:
    assert node.refresher.current is not None
    assert node.refresher.current.unusable == ()
    return node.refresher.current.settings


async def test_they_come_change_and_go(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    assert served(node) is None
    for stored in ({"query_timeout_seconds": 7}, {"query_timeout_seconds": 9}):
        await store(gateway, "query_timeout_seconds", stored["query_timeout_seconds"])
        await node.refresher.look()
        assert served(node) == settings_spec(stored)
    await node.close()
    again = await start_node(gateway.rig.keys, url=NOWHERE)
    assert served(again) == settings_spec({"query_timeout_seconds": 9})
    await again.close()
    await store(gateway, "query_timeout_seconds", None)
    third = await start_node(gateway.rig.keys)
    assert served(third) is None
