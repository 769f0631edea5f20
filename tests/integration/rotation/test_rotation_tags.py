"""What is tagged under `BUNDLE_SEAL_KEY`: snapshots, watermarks, batches of access events."""

import uuid
from collections.abc import AsyncIterator

import pytest

from control_plane.rotation import tags as rotated_tags
from control_plane.rotation.command import EXIT_DONE, EXIT_KEYS_NEEDED
from qg_bundle import keys
from qg_bundle.access.codec import PersistedRefused, persisted_value, read_persisted
from qg_bundle.access.key_rotation import all_persisted
from qg_bundle.access.writer import append_batches
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, TagKeys
from tests.fixtures.store import StoreUrls
from tests.integration.rotation.turning import Turning
from tests.integration.worker_access.rig import NodeLog, SinkRig
from tests.integration.worker_reconcile.backstop import Backstop
from tests.support.waiting import until


@pytest.fixture
async def backstops(turning: Turning) -> AsyncIterator[tuple[Backstop, Backstop]]:
    """Workers' reconciliation with the old keys alone, and with the new ones alone."""
    made = [Backstop(turning.urls.worker, turning.redis_url, each) for each in (turning.old, turning.new)]
    yield made[0], made[1]
    for each in made:
        await each.close()


async def test_snapshots_are_tagged_again_where_they_are(
    turning: Turning, backstops: tuple[Backstop, Backstop]
) -> None:
    """Postgres, older ones included, and Redis; numbers and the version stay: no data plane fetches anything."""
    old, new = backstops
    endpoint_id = str(uuid.uuid4())
    earlier, stored = await old.store(endpoint_id), await old.store(endpoint_id)
    await old.copy(stored)
    version = await new.reader.version()
    checked = await turning.rotate(check=True)
    assert "BUNDLE_SEAL_KEY: tags of snapshots in Postgres: 2 of 2 not under the newest key" in checked.lines
    assert "BUNDLE_SEAL_KEY: tags of snapshots in Redis: 1 of 1 not under the newest key" in checked.lines
    assert (await turning.rotate()).status == EXIT_DONE
    assert await turning.under(turning.old) == []
    for (header,) in await turning.rows("SELECT header FROM snapshots"):
        assert new.reader.open(endpoint_id, bytes(header)).header in (earlier.header, stored.header)  # type: ignore[call-overload]  # bytea
    assert (await new.reader.header(endpoint_id)).header == stored.header
    assert await new.reader.version() == version
    await new.reconcile.run_once()
    assert new.repaired == [], "nothing is left for workers to put right"


@pytest.mark.long
async def test_a_copy_that_was_put_again_meanwhile_is_not_overwritten(
    turning: Turning, backstops: tuple[Backstop, Backstop]
) -> None:
    old, new = backstops
    endpoint_id = str(uuid.uuid4())
    stored = await old.store(endpoint_id)
    await old.copy(stored)
    newer = await new.store(endpoint_id)
    await new.copy(newer)
    assert not await new.writer.replace_header(endpoint_id, stored.sealed, b"x")
    assert (await turning.rotate()).status == EXIT_DONE
    assert await new.is_whole(newer)


@pytest.mark.long
async def test_a_snapshot_that_no_key_tagged_is_left_and_told(
    turning: Turning, backstops: tuple[Backstop, Backstop]
) -> None:
    old, _ = backstops
    await old.store(str(uuid.uuid4()))
    await turning.rows("UPDATE snapshots SET header = 'x'")
    ran = await turning.rotate()
    assert ran.status == EXIT_DONE
    told = "BUNDLE_SEAL_KEY: tags of snapshots in Postgres: 0 of 1 not under the newest key, 1 under none of the keys"
    assert told in ran.lines


async def test_watermarks_of_silent_logs_are_tagged_again(turning: Turning) -> None:
    old, new = (TagKeys([each.seal], ACCESS_PERSISTED_CONTEXT) for each in (turning.old, turning.new))
    log_id, forged, false = "ab" * 16, "cd" * 16, "ef" * 16
    redis = turning.rig.redis
    for name in (log_id, false):
        await turning.rows("INSERT INTO access_sources (log_id, node, persisted) VALUES ($1, 'node-1', 41)", name)
    marks = {
        log_id: persisted_value(old, log_id, 41),
        false: persisted_value(old, false, 10**9),
        forged: b"42." + b"0" * 64,
    }
    await redis.hset(keys.ACCESS_PERSISTED, mapping=marks)  # type: ignore[misc]  # redis-py: sync or async
    with pytest.raises(PersistedRefused):
        read_persisted(new, log_id, (await all_persisted(redis))[log_id])
    assert (await turning.rotate()).status == EXIT_DONE
    found = await all_persisted(redis)
    assert read_persisted(new, log_id, found[log_id]) == 41
    assert found[forged] == b"42." + b"0" * 64, "what nobody of us wrote is not made good"
    assert read_persisted(new, false, found[false]) == 41, "nor what somebody made up who had the older key"


async def test_batches_that_wait_for_workers_are_waited_for(turning: Turning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotated_tags, "BATCHES_WAIT_S", 0.2)
    log = NodeLog(TagKeys([turning.old.seal], ACCESS_BATCH_CONTEXT))
    await append_batches(turning.rig.redis, [log.batch(1, 3)])
    ran = await turning.rotate()
    assert ran.status == EXIT_KEYS_NEEDED
    assert "access events on their way: waiting for workers to store 1 batches" in ran.lines
    await turning.rig.redis.delete(keys.ACCESS)
    assert (await turning.rotate()).status == EXIT_DONE


@pytest.mark.long
async def test_a_batch_that_outlives_its_key_is_sent_again_and_nothing_is_lost(
    store_urls: StoreUrls, redis_url: str, turning: Turning
) -> None:
    """An operator who does not wait: the workers with the new key alone refuse it, and its node sends it anew."""
    rig = SinkRig(store_urls, redis_url, seal_key=turning.new.seal)
    try:
        old_log = NodeLog(TagKeys([turning.old.seal], ACCESS_BATCH_CONTEXT))
        await rig.send(old_log.batch(1, 3))
        rig.sink()
        await until(lambda: any(event.event == "access_batch_refused" for event in rig.observed))
        await until(lambda: _is_empty(rig))
        assert await rig.persisted(old_log) == 0, "its node keeps the lines"
        old_log._tags = rig.batch_tags
        await rig.send(old_log.batch(1, 3))
        await until(lambda: _is_stored(rig, old_log))
        assert not any(event.event == "access_events_lost" for event in rig.observed)
    finally:
        await rig.close()


async def _is_empty(rig: SinkRig) -> bool:
    return bool(await rig.redis.xlen(keys.ACCESS) == 0)


async def _is_stored(rig: SinkRig, log: NodeLog) -> bool:
    return await rig.persisted(log) == 3
