"""When schedules are due, above all where clocks are changed."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given
from hypothesis import strategies as st

from qg_core.schedule_times import (
    CRON_LENGTH_MAX,
    CronTiming,
    IntervalTiming,
    Timing,
    TimingUnfit,
    check_cron,
    check_zone,
    known_zones,
    next_after,
    times_between,
)

MINUTE = timedelta(minutes=1)
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"

CHANGES = {
    BERLIN: (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    NEW_YORK: (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    # Half an hour only, and winter comes in April.
    LORD_HOWE: (datetime(2026, 10, 3, 15, 30, tzinfo=UTC), datetime(2026, 4, 4, 15, tzinfo=UTC)),
}
"""Zone -> the instants at which clocks go forward and back."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def instants(first: str, last: str) -> st.SearchStrategy[datetime]:
    return st.datetimes(datetime.fromisoformat(first), datetime.fromisoformat(last), timezones=st.just(UTC))


def local_times(expression: str, zone: str, after: datetime, count: int) -> list[str]:
    """Walls of the next `count` times, with the offset that tells two equal ones apart."""
    found = times_between(CronTiming(expression, zone), after, after + timedelta(days=400), count)
    return [moment.astimezone(ZoneInfo(zone)).strftime("%d %H:%M %z") for moment in found]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # Forward: what does not exist runs once, right after the gap.
        ("30 2 * * *", BERLIN, "2026-03-27T12:00", ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]),
        ("0,15,45 2 * * *", BERLIN, "2026-03-28T12:00", ["29 03:00 +0200", "30 02:00 +0200"]),
        ("0 2,3 * * *", BERLIN, "2026-03-28T12:00", ["29 03:00 +0200", "30 02:00 +0200"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07T12:00", ["08 03:00 -0400", "09 02:30 -0400"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-02T20:00", ["04 02:30 +1100", "05 02:15 +1100"]),
        # Back: what comes twice runs once, the first time.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", ["25 02:30 +0200", "26 02:30 +0100"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12:00", ["01 01:30 -0400", "02 01:30 -0500"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04T02:00", ["05 01:45 +1100", "06 01:45 +1030"]),
        # The same, asked in the middle of the second pass: it is over.
        ("30 2 * * *", BERLIN, "2026-10-25T01:15", ["26 02:30 +0100"]),
        ("*/15 2 * * *", BERLIN, "2026-03-28T12:00", ["29 03:00 +0200", "30 02:00 +0200"]),
        ("*/30 2 * * *", BERLIN, "2026-10-24T12:00", ["25 02:00 +0200", "25 02:30 +0200", "26 02:00 +0100"]),
        # Every hour: what the clock on the wall says.
        ("*/30 * * * *", BERLIN, "2026-03-29T00:00", ["29 01:30 +0100", "29 03:00 +0200", "29 03:30 +0200"]),
        ("0 * * * *", BERLIN, "2026-10-24T23:30", ["25 02:00 +0200", "25 02:00 +0100", "25 03:00 +0100"]),
        ("*/15 2 * * *", LORD_HOWE, "2026-04-04T13:00", ["05 02:00 +1030", "05 02:15 +1030", "05 02:30 +1030"]),
        # Leap days and the ends of months.
        ("0 6 29 2 *", BERLIN, "2026-01-01T00:00", []),
        ("0 6 29 2 *", BERLIN, "2027-03-01T00:00", ["29 06:00 +0100"]),
        ("0 0 L * *", "UTC", "2028-02-01T00:00", ["29 00:00 +0000", "31 00:00 +0000"]),
        ("0 0 31 * *", "UTC", "2026-01-31T00:00", ["31 00:00 +0000", "31 00:00 +0000"]),
        # Strictly later.
        ("0 12 * * *", "UTC", "2026-05-05T12:00", ["06 12:00 +0000"]),
        ("0 12 * * *", "UTC", "2026-05-05T11:59:59.999", ["05 12:00 +0000"]),
    ],
)
def test_cron_in_its_zone(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert local_times(expression, zone, utc(after), max(len(expected), 1)) == expected


def walls(expression: str, begin: datetime, end: datetime) -> list[datetime]:
    """Every minute between two times without zone at which the expression matches."""
    found = []
    for wall in CronSim(expression, begin - MINUTE):
        if wall > end:
            break
        found.append(wall)
    return found


def by_hand(expression: str, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    """The rule of the module's docstring, minute by minute."""
    first, last = (
        moment.astimezone(zone).replace(tzinfo=None) + timedelta(hours=hours)
        for moment, hours in ((after, -3), (until, 3))
    )
    matching = walls(expression, first, last)
    minutes = [after + index * MINUTE for index in range(1, (until - after) // MINUTE + 1)]
    if expression.split()[1].startswith("*"):
        wanted = set(matching)
        return [moment for moment in minutes if moment.astimezone(zone).replace(tzinfo=None) in wanted]
    due = set()
    for wall in matching:
        moment = wall.replace(tzinfo=zone)
        while moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment.replace(tzinfo=None):
            moment += MINUTE
        due.add(moment.astimezone(UTC))
    return sorted(moment for moment in due if after < moment <= until)


HOURS = st.sampled_from(["*", "0", "*/2", "1,2,3", "0-3", "2", "1-2", "*/5", "23", "3"])
MINUTES = st.sampled_from(["*", "0", "30", "*/15", "0,30", "15,45", "7", "59", "0-20/10", "*/45"])


@given(
    minutes=MINUTES,
    hours=HOURS,
    zone=st.sampled_from(sorted(CHANGES)),
    forward=st.booleans(),
    before=st.integers(0, 1_800),
)
@example(minutes="0,15", hours="*/5", zone=LORD_HOWE, forward=False, before=900)
@example(minutes="*/45", hours="2", zone=LORD_HOWE, forward=True, before=60)
def test_around_a_change_of_clocks_as_by_hand(minutes: str, hours: str, zone: str, forward: bool, before: int) -> None:
    expression = f"{minutes} {hours} * * *"
    after = CHANGES[zone][0 if forward else 1] - before * MINUTE
    until = after + timedelta(hours=40)
    expected = by_hand(expression, ZoneInfo(zone), after, until)
    assert times_between(CronTiming(expression, zone), after, until, 10_000) == expected
    first = next_after(CronTiming(expression, zone), after)
    assert first is not None
    assert first == expected[0] if expected else first > until


@given(
    expression=st.sampled_from(["30 2 * * *", "*/5 * * * *", "0 0 1 * *", "15 3 * * SUN", "0 */6 * 3,10 *"]),
    zone=st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "America/Havana", "Africa/Casablanca", "Asia/Kathmandu", "UTC"]),
    after=instants("2000-01-01", "2036-01-01"),
)
def test_next_times_rise_and_are_found_one_by_one(expression: str, zone: str, after: datetime) -> None:
    timing = CronTiming(expression, zone)
    found = times_between(timing, after, after + timedelta(days=5_000), 5)
    assert len(found) == 5
    assert all(moment.tzinfo is UTC for moment in found)
    walked = [after]
    for _ in range(5):
        later = next_after(timing, walked[-1])
        assert later is not None
        assert later > walked[-1]
        walked.append(later)
    assert walked[1:] == found


@given(
    seconds=st.integers(10, 31_622_400),
    anchor=instants("2000-01-01", "2040-01-01"),
    since=st.timedeltas(timedelta(days=-40), timedelta(days=400)),
)
def test_intervals_count_from_their_anchor(seconds: int, anchor: datetime, since: timedelta) -> None:
    after = anchor + since
    due = next_after(IntervalTiming(seconds, anchor), after)
    assert due is not None
    assert due > after
    assert due > anchor
    assert (due - anchor) % timedelta(seconds=seconds) == timedelta()
    assert due - max(after, anchor) <= timedelta(seconds=seconds)


def test_an_interval_does_not_care_for_clocks() -> None:
    anchor = datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo(BERLIN))
    due = times_between(IntervalTiming(3_600, anchor), anchor, anchor.astimezone(UTC) + timedelta(hours=3), 10)
    assert due == [utc("2026-03-29T01:30"), utc("2026-03-29T02:30"), utc("2026-03-29T03:30")]


def test_times_between_ends_at_the_limit_and_includes_the_last() -> None:
    timing = IntervalTiming(10, utc("2026-01-01T00:00"))
    assert times_between(timing, utc("2026-01-01T00:00:10"), utc("2026-01-01T00:00:30"), 10) == [
        utc("2026-01-01T00:00:20"),
        utc("2026-01-01T00:00:30"),
    ]
    assert len(times_between(timing, utc("2026-01-01T00:00"), utc("2030-01-01T00:00"), 7)) == 7
    assert times_between(timing, utc("2026-01-01T00:00"), utc("2030-01-01T00:00"), 0) == []


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "0 * * * * *",
        "@daily",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "a b c d e",
        "0 0 30 2 *",
        "0 0 */31 * MON#5",
        "٣ * * * *",
        "0 0 * * *" + " " * CRON_LENGTH_MAX,
        "* * * * * ; drop",
    ],
)
def test_what_is_no_expression(expression: str) -> None:
    assert check_cron(expression, "UTC")


@given(st.one_of(st.text(max_size=40), st.text("0123456789*/,-#LWSUNMONJANFEB ", max_size=40)))
@example("* * * * MON#2/2")
@example("* * L/2 * 5L/2")
@example("9" * 180 + " * * * *")
def test_no_text_breaks_the_check(expression: str) -> None:
    problem = check_cron(expression, BERLIN)
    if problem is None:
        assert len(expression.split()) == 5


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "localtime", "europe/berlin", "\0", "posixrules"]
)
def test_unknown_zones(zone: str) -> None:
    assert check_zone(zone)
    assert check_cron("0 0 * * *", zone)
    with pytest.raises(TimingUnfit):
        next_after(CronTiming("0 0 * * *", zone), utc("2026-01-01T00:00"))


def test_known_zones() -> None:
    assert {"UTC", BERLIN, NEW_YORK, LORD_HOWE} <= known_zones()
    assert check_zone(BERLIN) is None


@pytest.mark.parametrize("timing", [CronTiming("0 0 * * *", "UTC"), IntervalTiming(10, utc("2026-01-01T00:00"))])
def test_a_time_without_zone_is_refused(timing: Timing) -> None:
    with pytest.raises(ValueError, match="without zone"):
        next_after(timing, datetime.fromisoformat("2026-01-01T00:00"))


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 */31 * " + ",".join(f"{day}#5" for day in range(7)),
        "*/5 * 29 2 */8",
        "1 */23 29 2 */8",
        "* * */31 2-12 0#5",
    ],
)
def test_the_rarest_times_are_found_or_given_up_quickly(expression: str) -> None:
    known_zones()
    started = time.thread_time()
    for after in (utc("2024-01-01T00:00"), utc("2033-01-01T00:00")):
        next_after(CronTiming(expression, BERLIN), after)
    # Some 30 ms each where this was measured; the bound is for a machine with much else to do.
    assert time.thread_time() - started < 1.0
