"""Events become rows, each once; what can't be stored is alone in the dead letters; nodes hear how far they are."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from qg_bundle import keys
from qg_bundle.access.codec import Batch, make_header
from qg_security.sealing import new_fernet_key
from qg_security.tags import TagKeys
from qg_store.repositories.access_log import AccessRow
from qg_telemetry.events import AccessBatchRefused, AccessEventsLost, AccessEventsRefused, UnforeseenError
from qg_telemetry.metrics.states import STATES
from tests.integration.worker_access.rig import CREDENTIAL_ID, NodeLog, SinkRig, event
from tests.support.access_lines import encode_event
from tests.support.waiting import until
from worker.access_log.checking import CheckedEvent, check
from worker.access_log.inserting import add_all

DAY_S = 86_400


async def test_events_become_rows_and_the_node_hears_of_it(rig: SinkRig) -> None:
    log = rig.log()
    sink = rig.sink()
    await rig.send(log.batch(1, 300), log.batch(301, 700))
    await until(lambda: rig.reached(log, 700))
    await until(rig.settled)
    rows = await rig.query("SELECT * FROM access_log ORDER BY split_part(event_id, '.', 2)::bigint")
    assert [row["event_id"] for row in rows] == [f"{log.log_id}.{number}" for number in range(1, 701)]
    assert (rows[4]["request_id"], rows[4]["node"], rows[4]["status"]) == ("r-5", "node-1", 200)
    assert abs(rows[4]["at"].timestamp() - time.time()) < 60
    used = await rig.query("SELECT * FROM credential_uses")
    assert [str(row["credential_id"]) for row in used] == [CREDENTIAL_ID]
    assert used[0]["last_used_at"] == max(row["at"] for row in rows)
    assert sink.states()["qg_access_events_stored_total"]() == 700
    assert set(sink.states()) <= {state.name for state in STATES}
    # A partition of its own, not the default one.
    assert await rig.value("SELECT count(*) FROM access_log_default") == 0


async def test_what_is_sent_again_is_stored_once(rig: SinkRig) -> None:
    log = rig.log()
    rig.sink()
    rig.sink()
    lines = [encode_event(event(number)) for number in range(1, 101)]
    again = [log.fields(lines[first:], first=first + 1) for first in range(0, 100, 10)]
    await rig.send(*again, *again)
    await until(lambda: rig.reached(log, 100))
    await until(rig.settled)
    assert await rig.value("SELECT count(*) FROM access_log") == 100
    assert await rig.value("SELECT lost FROM access_sources") == 0


async def test_bad_events_take_nothing_along(rig: SinkRig) -> None:
    log = rig.log()
    rig.sink()
    good = json.loads(encode_event(event(1)))
    bad: dict[int, bytes] = {
        3: encode_event(event(3, at=-5.0)),
        4: json.dumps([4, *good[1:10], "200", *good[11:]]).encode(),
        5: b"not json",
        6: json.dumps([6, good[1], ["r"], *good[3:]]).encode(),
    }
    odd: dict[int, bytes] = {
        7: encode_event(event(7, path="/a\0b", principal="x\0")),
        8: encode_event(event(8, path="/" + "x" * 7_000, principal="p" * 999)),
        9: encode_event(event(9, at=time.time() + 400 * DAY_S)),
        10: encode_event(event(10, at=time.time() - 80 * DAY_S)),
        11: encode_event(event(11, bytes=10**40, row_count=-(10**40), status=10**15, revision=10**25)),
        12: json.dumps([12, *good[1:4], "/lone\ud800", *good[5:]]).encode(),
        13: json.dumps([13, *good[1:4], "/" + "y" * 60_000, *good[5:]]).encode(),
    }
    lines = [(bad | odd).get(number, encode_event(event(number))) for number in range(1, 21)]
    await rig.send(log.fields(lines, first=1), log.batch(21, 30))
    await until(lambda: rig.reached(log, 30))
    rows = {int(row["event_id"].partition(".")[2]): row for row in await rig.query("SELECT * FROM access_log")}
    assert sorted(rows) == [number for number in range(1, 31) if number not in bad]
    assert (rows[7]["path"], rows[7]["principal"]) == ("/a\ufffdb", "x\ufffd")
    assert (len(rows[8]["path"]), len(rows[8]["principal"]), len(rows[13]["path"])) == (512, 255, 512)
    assert rows[12]["path"] == "/lone\ufffd"
    assert (rows[11]["bytes"], rows[11]["row_count"], rows[11]["status"]) == (2**63 - 1, 0, 2**31 - 1)
    assert await rig.value("SELECT count(*) FROM access_log_default") == 2
    letters = await rig.query("SELECT * FROM access_dead_letters ORDER BY id")
    assert sorted(letter["body"] for letter in letters) == sorted(bad.values())
    assert {letter["log_id"] for letter in letters} == {log.log_id}
    assert sum(found.events for found in rig.seen(AccessEventsRefused)) == len(bad)
    # They are settled: the node does not send them for ever.
    assert await rig.value("SELECT lost FROM access_sources") == 0


async def test_what_postgres_refuses_is_found_by_halves(rig: SinkRig) -> None:
    await rig.query("ALTER TABLE access_log ADD CONSTRAINT poison CHECK (path NOT LIKE '/poison%')")
    log = rig.log()
    rig.sink()
    poison = {1, 250, 251, 500}
    lines = [
        encode_event(event(number, path="/poison") if number in poison else event(number)) for number in range(1, 501)
    ]
    await rig.send(log.fields(lines, first=1), log.batch(501, 600))
    await until(lambda: rig.reached(log, 600))
    assert await rig.value("SELECT count(*) FROM access_log") == 596
    letters = await rig.query("SELECT * FROM access_dead_letters")
    assert {letter["reason"] for letter in letters} == {"refused_by_postgres"}
    assert {json.loads(letter["body"])["event_id"] for letter in letters} == {
        f"{log.log_id}.{number}" for number in poison
    }


@pytest.mark.parametrize("kind", ["other_key", "altered", "other_log", "no_fields", "huge", "bomb"])
async def test_a_forged_entry_is_kept_counted_and_does_no_harm(rig: SinkRig, kind: str) -> None:
    log = rig.log()
    rig.sink()
    fields = log.batch(1, 10)
    stranger = NodeLog(TagKeys([new_fernet_key()], "querygateway/access-batch/1"))
    forged = {
        "other_key": stranger.batch(1, 10),
        "altered": {**fields, b"b": fields[b"b"][:-1] + b"?"},
        "other_log": {**fields, b"h": stranger.batch(1, 10)[b"h"]},
        "no_fields": {b"x": b"\0\xff"},
        "huge": {**fields, b"b": b"x" * 2_000_000},
        "bomb": {**fields, b"b": b"\0" * 260_000},
    }[kind]
    await rig.redis.xadd(keys.ACCESS, forged)  # type: ignore[arg-type]  # redis-py: a dict of wider types
    await rig.send(fields)
    await until(lambda: rig.reached(log, 10))
    await until(rig.settled)
    assert await rig.value("SELECT count(*) FROM access_log") == 10
    letters = await rig.query("SELECT * FROM access_dead_letters")
    assert [letter["log_id"] for letter in letters] == [None]
    assert len(letters[0]["body"]) <= 8_192
    assert [found.entries for found in rig.seen(AccessBatchRefused)] == [1]
    assert await rig.value("SELECT count(*) FROM access_sources") == 1
    pending = await rig.redis.xpending(keys.ACCESS, keys.ACCESS_GROUP)
    assert pending["pending"] == 0


async def test_dead_letters_are_capped(rig: SinkRig) -> None:
    await rig.query(
        "INSERT INTO access_dead_letters (reason, detail, body) SELECT 'old', '', '' FROM generate_series(1, 10100)"
    )
    rig.sink()
    await rig.redis.xadd(keys.ACCESS, {"x": "y"})
    await until(rig.settled)
    assert await rig.value("SELECT count(*) FROM access_dead_letters") == 10_000
    assert await rig.value("SELECT reason FROM access_dead_letters ORDER BY id DESC LIMIT 1") == "fields_missing"


async def test_a_gap_is_counted_once(rig: SinkRig) -> None:
    log = rig.log()
    first, second = rig.sink(), rig.sink()
    await rig.send(log.batch(1, 10), log.batch(101, 110, base=101))
    await until(lambda: rig.reached(log, 110))
    for _ in range(3):
        await rig.send(log.batch(1, 10), log.batch(101, 110, base=101), log.fields([], first=101, base=101))
    await rig.send(log.batch(111, 120, base=105))
    await until(lambda: rig.reached(log, 120))
    await until(rig.settled)
    assert await rig.value("SELECT lost FROM access_sources") == 90
    assert [(found.node, found.lost) for found in rig.seen(AccessEventsLost)] == [("node-1", 90)]
    counted = [sink.states()["qg_access_events_lost_total"]() for sink in (first, second)]
    assert sorted(counted) == [0, 90]  # type: ignore[type-var]  # plain numbers both


async def test_a_batch_that_was_overtaken_is_not_lost(rig: SinkRig) -> None:
    log = rig.log()
    rig.sink()
    await rig.send(log.batch(101, 110, base=101))
    await until(lambda: rig.reached(log, 110))
    assert await rig.value("SELECT lost FROM access_sources") == 100
    await rig.send(log.batch(1, 90))
    await until(rig.settled)
    assert await rig.value("SELECT count(*) FROM access_log") == 100
    assert await rig.value("SELECT lost FROM access_sources") == 10


async def test_a_watermark_waits_for_what_is_missing(rig: SinkRig) -> None:
    log = rig.log()
    rig.sink()
    await rig.send(log.batch(11, 20))
    await until(rig.settled)
    assert await rig.persisted(log) == 0
    await rig.send(log.batch(1, 10))
    await until(lambda: rig.reached(log, 20))


async def test_a_clock_that_is_ahead_does_not_make_a_credential_used_tomorrow(rig: SinkRig) -> None:
    log = rig.log()
    rig.sink()
    await rig.send(log.fields([encode_event(event(1, at=time.time() + 5 * DAY_S))], first=1))
    await until(lambda: rig.reached(log, 1))
    assert await rig.value("SELECT last_used_at <= now() FROM credential_uses")


async def test_a_batch_that_can_not_be_stored_at_all_is_alone_in_the_dead_letters(rig: SinkRig) -> None:
    await rig.query("ALTER TABLE access_sources ADD CONSTRAINT poison CHECK (node <> 'poison')")
    good = [rig.log(f"node-{number}") for number in range(5)]
    poison = rig.log("poison")
    await rig.send(*[log.batch(1, 10) for log in (*good[:3], poison, *good[3:])])
    rig.sink()
    await until(rig.settled)
    assert await rig.value("SELECT count(*) FROM access_log") == 50
    assert [await rig.persisted(log) for log in (*good, poison)] == [10] * 5 + [0]
    letters = await rig.query("SELECT * FROM access_dead_letters")
    assert [(letter["log_id"], letter["reason"], letter["detail"]) for letter in letters] == [
        (None, "failed", "IntegrityError")
    ]
    assert rig.seen(UnforeseenError)


@pytest.mark.parametrize("changes", [{"bytes": 2**70}, {"path": "x" * 2_000}, {"path": "\0"}, {"method": "\ud800"}])
async def test_what_slips_through_the_checks_is_refused_by_postgres_or_its_driver(
    rig: SinkRig, changes: dict[str, Any]
) -> None:
    log = rig.log()
    rows = [event_row(log, number) for number in range(1, 6)]
    rows[2] = msgspec.structs.replace(rows[2], **changes)
    async with rig.sessions() as session:
        added, refused = await add_all(session, log.log_id, [CheckedEvent(i + 1, row) for i, row in enumerate(rows)])
        await session.commit()
    assert added == 4
    assert [letter.reason for letter in refused] == ["refused_by_postgres"]
    assert await rig.value("SELECT count(*) FROM access_log") == 4


def event_row(log: NodeLog, number: int) -> AccessRow:
    line = encode_event(event(number))
    batch = Batch(make_header(log.log_id, log.node, base=1, first=number, last=number, lines=[line]), [line])
    return check(batch, datetime.now(UTC)).events[0].row
