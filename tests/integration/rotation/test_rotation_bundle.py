"""`BUNDLE_SEAL_KEY` and `BUNDLE_SIGNING_KEY`: nodes follow, new ones need the new keys alone, nothing old is left."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from control_plane.publishing import renewal
from control_plane.rotation import fleet, specs
from control_plane.rotation.command import EXIT_DONE, EXIT_KEYS_NEEDED
from data_plane.refreshing import tidy
from qg_activation.fault_points import FaultPoint
from qg_bundle import keys
from qg_core.nodes import NodeState
from qg_core.specs import SpecKind
from qg_security.signing import Ed25519Signer
from qg_store.models import Connection, Endpoint
from qg_store.repositories import publishing as ledger
from tests.integration.publishing.rig import ADMIN, Keys, Rig
from tests.integration.refresh.nodes import Node, served_afresh
from tests.integration.rotation.turning import Turning
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
NOWHERE = "redis://127.0.0.1:1/0"


async def can_use_all(bundle_keys: Keys, redis_url: str, state_dir: Path) -> bool:
    """Whether a node with these keys alone serves a catalog of which it can use everything."""
    node = await Node(redis_url, bundle_keys, state_dir).boot()
    try:
        return node.refresher.current is not None and not node.refresher.current.unusable
    finally:
        await node.close()


async def test_nothing_opens_or_verifies_under_the_old_keys(turning: Turning, redis_url: str, tmp_path: Path) -> None:
    assert {name.partition(" ")[0] for name in await turning.under(turning.old)} == {"postgres", "redis"}
    assert not await can_use_all(turning.new, redis_url, tmp_path / "before")
    ran = await turning.rotate()
    assert ran.status == EXIT_DONE, ran.text
    assert await turning.under(turning.old) == []
    assert await can_use_all(turning.new, redis_url, tmp_path / "after")
    assert not await can_use_all(turning.old, redis_url, tmp_path / "too late")


async def test_edits_after_it_are_followed_with_the_new_keys_alone(
    turning: Turning, redis_url: str, tmp_path: Path
) -> None:
    await turning.rotate()
    rig = turning.under_new()
    await rig.add(rig.connection(name="later"))
    await rig.parts.activation.run()
    assert await served_afresh(turning.new, redis_url, tmp_path / "fresh") == await rig.publishing.head()


@pytest.mark.long
async def test_a_delta_that_the_old_key_signed_after_the_checkpoint_is_found(
    turning: Turning, redis_url: str, tmp_path: Path
) -> None:
    """A control plane that was not replaced yet has published once more."""
    await turning.rotate()
    await turning.rig.add(turning.rig.connection(name="straggler"))
    await turning.rig.parts.activation.run()
    assert (await turning.rotate(check=True)).status == EXIT_KEYS_NEEDED
    assert (await turning.rotate()).status == EXIT_DONE
    assert await turning.under(turning.old) == []
    assert await can_use_all(turning.new, redis_url, tmp_path / "fresh")


async def test_specs_are_sealed_again_in_bounded_revisions(turning: Turning, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (renewal, specs):
        monkeypatch.setattr(module, "SUBJECTS_PER_REVISION_MAX", 2)
    await turning.rig.add(*(turning.rig.connection(name=f"c{number}") for number in range(4)))
    before = await turning.rig.publishing.head()
    await turning.rotate()
    changed = await turning.rows(
        "SELECT revision, count(*) FROM revision_changes WHERE revision > $1 GROUP BY revision ORDER BY 1", before
    )
    assert [count for _, count in changed] == [2, 2, 2, 1], "seven secrets"
    assert len(await turning.rows("SELECT FROM audit_log WHERE revision > $1", before)) == 5, "and the checkpoint"


@pytest.mark.parametrize("point", [FaultPoint.BEFORE_COMMIT, FaultPoint.AFTER_COMMIT, FaultPoint.AFTER_HEAD])
@pytest.mark.long
async def test_killed_in_the_middle_it_goes_on(turning: Turning, redis_url: str, tmp_path: Path, point: str) -> None:
    environ = {**turning.environ(QG_FAULT_POINT=point), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "cli.main", "keys", "rotate"]
    killed = await asyncio.to_thread(subprocess.run, command, env=environ, cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    assert (await turning.rotate()).status == EXIT_DONE
    assert await turning.under(turning.old) == []
    assert await can_use_all(turning.new, redis_url, tmp_path / "fresh")


async def test_a_node_follows_and_starts_again_from_disk_with_the_new_keys_alone(
    turning: Turning, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidy, "OTHER_KEY_S", 0.0)
    node = await Node(redis_url, turning.new, tmp_path / "node-1", also=[turning.old]).boot(follow=True)
    await until(lambda: node.revision == 1)
    assert (await turning.rotate()).status == EXIT_DONE
    head = await turning.rig.publishing.head()
    await until(lambda: node.revision == head)
    assert node.refresher.current is not None
    assert node.refresher.current.unusable == ()
    await until(lambda: node.refresher._chain.signed_by == Ed25519Signer(turning.new.signing).key_id)
    await node.close()
    again = await Node(NOWHERE, turning.new, tmp_path / "node-1").boot()
    assert (again.revision, again.refresher.state) == (head, NodeState.DEAF)
    assert again.refresher.current is not None
    assert again.refresher.current.unusable == ()
    await again.close()


@pytest.mark.long
async def test_a_node_with_old_state_and_new_keys_begins_from_redis(
    turning: Turning, redis_url: str, tmp_path: Path
) -> None:
    node = await Node(redis_url, turning.old, tmp_path / "node-1").boot()
    await node.close()
    await turning.rotate()
    again = await Node(redis_url, turning.new, tmp_path / "node-1").boot()
    assert again.revision == await turning.rig.publishing.head()
    assert again.saw("catalog_swapped", source="redis")
    await again.close()


async def test_it_does_not_begin_while_a_node_lacks_the_newest_keys(
    turning: Turning, redis_url: str, tmp_path: Path
) -> None:
    """What it would publish, that node could not open."""
    node = await Node(redis_url, turning.old, tmp_path / "node-1").boot(follow=True)
    await until(lambda: turning.reports(1))
    before = await turning.sealed(), await turning.rig.publishing.head()
    ran = await turning.rotate()
    assert ran.status == 1
    assert "nothing was changed: data planes that don't know the newest keys" in ran.text
    assert "BUNDLE_SEAL_KEY: node-1; BUNDLE_VERIFY_KEYS: node-1" in ran.text
    assert (await turning.sealed(), await turning.rig.publishing.head()) == before
    await node.close()


@pytest.mark.long
async def test_it_waits_for_nodes_that_have_not_followed(
    turning: Turning, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lacks the new keys keeps what it serves, and the old keys are still needed."""
    node = await Node(redis_url, turning.old, tmp_path / "node-1").boot(follow=True)
    await until(lambda: turning.reports(1))
    monkeypatch.setattr(fleet, "WAIT_S", 0.5)
    ran = await turning.rotate(regardless=True)
    assert ran.status == EXIT_KEYS_NEEDED, ran.text
    assert "data planes: waiting for node-1" in ran.lines
    assert node.refresher.current is not None
    assert node.paths == {"orders"}
    await node.close()


async def test_old_passwords_are_gone_and_a_rollback_still_works(turning: Turning) -> None:
    rig = turning.rig
    ((connection_id,),) = await turning.rows("SELECT id::text FROM connections")
    ((endpoint_id,),) = await turning.rows("SELECT id::text FROM endpoints")
    await rig.edit(Endpoint, str(endpoint_id), rows_max=7)
    await turning.rotate()
    new = turning.under_new()
    await new.parts.rollback.to(1, ADMIN)
    assert await turning.rows("SELECT rows_max FROM endpoints") == [(1_000,)]
    async with new.sessions() as session:
        assert await ledger.superseded_with_secrets(session, "", 10) == []
        assert await session.get(Connection, str(connection_id)) is not None


@pytest.mark.long
async def test_a_redis_that_is_lost_afterwards_is_rebuilt_under_the_new_keys(
    turning: Turning, redis_url: str, tmp_path: Path
) -> None:
    await turning.rotate()
    rig = turning.under_new()
    await rig.redis.flushdb()
    await rig.parts.activation.run(redis_head=0)
    assert await turning.under(turning.old) == []
    assert await can_use_all(turning.new, redis_url, tmp_path / "fresh")


@pytest.mark.long
async def test_a_redis_that_fell_back_behind_it_leads_new_nodes_on(
    turning: Turning, redis_url: str, tmp_path: Path
) -> None:
    """A failover to an older copy: what the old key signed comes back from Postgres, and nobody needs it."""
    old = await turning.rig.redis.get(keys.HEAD), await turning.rig.redis.get(keys.CHECKPOINT_NEWEST)
    await turning.rotate()
    rig = turning.under_new()
    assert old == (b"1", b"1")
    await rig.redis.set(keys.HEAD, 1)
    await rig.redis.set(keys.CHECKPOINT_NEWEST, 1)
    await rig.parts.upkeep.look()
    assert await can_use_all(turning.new, redis_url, tmp_path / "fresh")


@pytest.mark.long
async def test_without_redis_it_stops_and_goes_on_later(turning: Turning) -> None:
    ran = await turning.rotate(environ=turning.environ(REDIS_URL=NOWHERE))
    assert ran.status == 1
    assert "run it again" in ran.text
    assert (await turning.rotate()).status == EXIT_DONE
    assert await turning.under(turning.old) == []


async def test_a_control_plane_that_starts_with_a_new_key_in_front_publishes_nothing(turning: Turning) -> None:
    """The nodes may not know that key yet: sealing again is the rotation's, when the operator says so."""
    rig = Rig(turning.urls.app, turning.redis_url, turning.old, also_seal=[turning.new.seal])
    turning.rigs.append(rig)
    before = await rig.publishing.head()
    await rig.parts.upkeep.sweep()
    assert await rig.publishing.head() == before


@pytest.mark.long
async def test_an_edit_meanwhile_is_not_lost(turning: Turning) -> None:
    """A rotation takes what is published as it is under the publish lock."""
    rig = Rig(turning.urls.app, turning.redis_url, turning.new, also_at_rest=[turning.old.at_rest])
    turning.rigs.append(rig)
    ((connection_id,),) = await turning.rows("SELECT id::text FROM connections")
    async with rig.publishing.change(ADMIN) as change:
        running = asyncio.create_task(turning.rotate())
        await asyncio.sleep(0.5)
        row = await change.session.get(Connection, str(connection_id))
        assert row is not None
        row.pool_max = 9
        change.touch(SpecKind.CONNECTION, str(connection_id))
    assert (await running).status == EXIT_DONE
    ((body,),) = await turning.rows(
        "SELECT body FROM specs JOIN published USING (digest) WHERE published.kind = 'connection'"
    )
    assert b'"pool_max":9' in bytes(body)  # type: ignore[call-overload]  # bytea
