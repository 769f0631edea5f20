"""20,000 events through everything that goes wrong at once: exactly 20,000 rows, and not one counted as lost."""

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from redis.exceptions import RedisError

from qg_telemetry.events import AccessBatchesStored
from tests.fixtures.redis import StartRedis
from tests.fixtures.store import StoreUrls
from tests.integration.worker_access.rig import NodeLog, SinkRig, shuffled_batches
from tests.support.waiting import until

EVENTS = 20_000
SINK_PROCESS = Path(__file__).with_name("sink_process.py")


class DoomedSink:
    """A sink in a process of its own, to be killed without a word."""

    def __init__(self, rig: SinkRig) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SINK_PROCESS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(rig.servers))
        self._process.stdin.close()

    def wait_for_a_transaction(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip().isdigit()

    def stand_still(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


async def send_until_stored(rig: SinkRig, log: NodeLog, entries: list[dict[bytes, bytes]], seed: int) -> None:
    """As a node does: send, and send all again when Redis has nothing of it any more and it is not stored."""
    chance = random.Random(seed)
    while True:
        chance.shuffle(entries)
        with contextlib.suppress(RedisError, OSError):
            for fields in entries:
                await rig.send(fields)
            await until(rig.settled, timeout_s=60)
            if await rig.reached(log, EVENTS):
                return
        await asyncio.sleep(0.05)


@pytest.mark.fault
async def test_twenty_thousand_events_are_twenty_thousand_rows(store_urls: StoreUrls, start_redis: StartRedis) -> None:
    server = start_redis()
    rig = SinkRig(store_urls, server.address.url())
    log = rig.log()
    entries = shuffled_batches(log, EVENTS, seed=20)
    doomed = DoomedSink(rig)
    sending = asyncio.create_task(send_until_stored(rig, log, entries, seed=21))
    try:
        await asyncio.to_thread(doomed.wait_for_a_transaction)
        rig.sink()
        rig.sink()
        doomed.kill()
        await until(lambda: sum(event.events for event in rig.seen(AccessBatchesStored)) > EVENTS / 10)
        server.kill()
        server.start()
        await asyncio.wait_for(sending, 120)
        await until(rig.settled)
        assert await rig.value("SELECT count(*) FROM access_log") == EVENTS
        source = (await rig.query("SELECT * FROM access_sources"))[0]
        assert (source["persisted"], source["lost"]) == (EVENTS, 0)
        assert await rig.value("SELECT count(*) FROM access_dead_letters") == 0
        assert await rig.persisted(log) == EVENTS
    finally:
        sending.cancel()
        doomed.kill()
        await rig.close()


@pytest.mark.fault
async def test_what_a_killed_sink_had_taken_is_taken_over(rig: SinkRig) -> None:
    """Without anybody sending it again."""
    logs = [rig.log(f"node-{number}") for number in range(4)]
    for log in logs:
        await rig.send(*[log.batch(first, first + 99) for first in range(1, 4_001, 100)])
    doomed = DoomedSink(rig)
    try:
        await asyncio.to_thread(doomed.wait_for_a_transaction)
    finally:
        doomed.kill()
    rig.sink()
    for log in logs:
        await until(lambda log=log: rig.reached(log, 4_000), timeout_s=60)
    await until(rig.settled)
    assert await rig.value("SELECT count(*) FROM access_log") == 16_000


@pytest.mark.fault
@pytest.mark.long
async def test_a_sink_that_stood_still_changes_nothing_when_it_goes_on(rig: SinkRig) -> None:
    """It may have been stopped anywhere: with entries in its hands, or with the log locked in Postgres."""
    log = rig.log()
    doomed = DoomedSink(rig)
    try:
        await rig.send(*[log.batch(first, first + 99) for first in range(1, 4_001, 100)])
        await asyncio.to_thread(doomed.wait_for_a_transaction)
        doomed.stand_still()
        rig.sink()
        await until(lambda: rig.reached(log, 4_000), timeout_s=60)
        await until(rig.settled)
        doomed.go_on()
        await rig.send(*[log.batch(first, first + 9) for first in range(4_001, 6_001, 10)])
        await until(lambda: rig.reached(log, 6_000), timeout_s=60)
        await until(rig.settled)
        assert await rig.value("SELECT count(*) FROM access_log") == 6_000
        assert await rig.value("SELECT lost FROM access_sources") == 0
    finally:
        doomed.kill()
