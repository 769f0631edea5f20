"""A kill -9 at any moment: every request that was answered has its event in a file, or is counted as a gap."""

from pathlib import Path

import pytest

from qg_devstack.servers import RedisServer
from qg_telemetry.events import AccessGapFound
from tests.fixtures.redis import StartRedis
from tests.integration.access_log.access_rig import RecordingNode, Sink, lines_in
from tests.integration.access_log.killing import killed_after
from tests.support.waiting import until

pytestmark = pytest.mark.fault

NOWHERE = "redis://127.0.0.1:1/0"


async def test_every_answer_is_in_the_files_or_in_the_gap(tmp_path: Path) -> None:
    """Several kills in a row, without a Redis: at most the one request that was running may be in the gap, too."""
    answered = gaps = 0
    for life in range(1, 4):
        answered += killed_after(tmp_path, NOWHERE, answers=300 * life + 7)
        async with RecordingNode(tmp_path, NOWHERE) as node:
            gaps += sum(found.events for found in node.told(AccessGapFound))
            numbers = lines_in(tmp_path)
            assert numbers == sorted(set(numbers))
            # One request runs at a time: it was counted before its answer, and perhaps killed before it.
            assert answered <= len(numbers) + gaps <= answered + life
            assert node.recorder._numbers.last == len(numbers) + gaps
    assert gaps > 0


async def test_rows_and_losses_make_up_for_every_answer(tmp_path: Path, start_redis: StartRedis) -> None:
    redis: RedisServer = start_redis()
    url = redis.address.url()
    answered = killed_after(tmp_path, url, answers=5_000)
    async with RecordingNode(tmp_path, url) as node, Sink(url) as sink:
        last = node.recorder._numbers.last
        await sink.until_persisted(node.log_id, last)
        assert answered <= last <= answered + 1
        assert sink.stored() + sink.lost(node.log_id) == last
        assert sink.lost(node.log_id) == sum(found.events for found in node.told(AccessGapFound))
        assert node.serve(1) == [last + 1]
        await until(lambda: node.recorder.outstanding_bytes > 0)
        await sink.until_persisted(node.log_id, last + 1)
