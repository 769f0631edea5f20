"""When a schedule is due: cron expressions with an IANA zone, and intervals counted from an anchor.

Where clocks are changed, cron (five fields) behaves much as Debian's cron does:

* Times of certain hours (the hour begins with something else than `*`) that do not exist on a day run once, at the
  first instant after the gap; those that come twice run once, the first time. Debian's cron skips the minutes of
  `*/15 2 * * *` in a gap and doubles them otherwise, for their `*`; here they are times like any others.
* Times of every hour or every few (`*/15 * * * *`) run whenever the clock on the wall matches: through a doubled hour
  twice, and not in a skipped one, so that "every 15 minutes" stays every 15 minutes.

Day of month and day of week must both match when one of them begins with `*`, otherwise one is enough. Times are
computed by `cronsim`; here are the zone, the limits and the order. All instants in and out are aware and in UTC.
"""

import functools
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

INTERVAL_SECONDS_MIN = 10
INTERVAL_SECONDS_MAX = 31_622_400
"""One leap year."""

CRON_LENGTH_MAX = 200
"""Characters of an expression."""

CRON_FIELDS = 5

_REFERENCE = datetime(2024, 1, 1, tzinfo=UTC)
"""Where the check of an expression begins to look: before a leap day, and fixed, so that its answer never changes."""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class CronTiming(msgspec.Struct, frozen=True):
    """Five fields, read in `timezone` (a key of the IANA database)."""

    expression: str
    timezone: str


class IntervalTiming(msgspec.Struct, frozen=True):
    """Every `seconds` after `anchor` (aware); the anchor itself is not due."""

    seconds: int
    anchor: datetime


Timing = CronTiming | IntervalTiming


class TimingUnfit(ValueError):
    """The expression is malformed or never comes, or this machine does not know the zone."""


@functools.cache
def known_zones() -> frozenset[str]:
    """The keys of the IANA database on this machine; reads a few directories the first time."""
    # Some systems keep their own zone under this name: another one on each machine.
    return frozenset(zoneinfo.available_timezones() - {"localtime"})


def check_zone(timezone: str) -> str | None:
    """What is wrong with the name of a zone, or None."""
    return None if timezone in known_zones() else "is not a zone of the IANA database, such as Europe/Berlin or UTC"


def check_cron(expression: str, timezone: str) -> str | None:
    """What is wrong with an expression read in a zone, or None. Never slower than some 50 ms."""
    try:
        if next_after(CronTiming(expression, timezone), _REFERENCE) is None:
            return "never comes: no date fits it in the next 50 years"
    except TimingUnfit as error:
        return str(error)
    return None


def next_after(timing: Timing, after: datetime) -> datetime | None:
    """The first time due strictly later than `after`, in UTC; None when there is none for 50 years.

    Raises `TimingUnfit`.
    """
    return next(_times_after(timing, after), None)


def times_between(timing: Timing, after: datetime, until: datetime, limit: int) -> list[datetime]:
    """The first `limit` times due later than `after` and not later than `until`, ascending, in UTC.

    Raises `TimingUnfit`.
    """
    found: list[datetime] = []
    for moment in _times_after(timing, after):
        if moment > until or len(found) >= limit:
            break
        found.append(moment)
    return found


def _times_after(timing: Timing, after: datetime) -> Iterator[datetime]:
    if after.tzinfo is None:
        raise ValueError("a time without zone is no instant")
    after = after.astimezone(UTC)
    if isinstance(timing, IntervalTiming):
        return _interval_times(timing, after)
    return _cron_times(timing, after)


def _interval_times(timing: IntervalTiming, after: datetime) -> Iterator[datetime]:
    anchor = timing.anchor.astimezone(UTC)
    step = timedelta(seconds=timing.seconds)
    count = max((after - anchor) // step + 1, 1)
    while True:
        try:
            yield anchor + count * step
        except OverflowError:
            return
        count += 1


def _cron_times(timing: CronTiming, after: datetime) -> Iterator[datetime]:
    zone = _zone(timing.timezone)
    fields = _fields(timing.expression)
    if fields[1].startswith("*"):
        return _wall_clock_times(timing.expression, zone, after)
    # cronsim asks the minute, too, whether these are times of their own: with every minute spelled out they are.
    minutes = ",".join(f"0-59{item[1:]}" if item.startswith("*") else item for item in fields[0].split(","))
    return _fixed_times(" ".join((minutes, *fields[1:])), zone, after)


def _fixed_times(expression: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Times of day; `cronsim` moves those in a gap to its end and takes the first of two."""
    newest = after
    for local in _matches(expression, after.astimezone(zone)):
        moment = local.astimezone(UTC)
        # Two times in one gap fall on the same instant; and seen from the second pass through a doubled hour, the
        # first pass, already over, would come again.
        if moment > newest:
            newest = moment
            yield moment


def _wall_clock_times(expression: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Every instant at which the clock on the wall matches.

    `cronsim` counts hours from the last full one, which goes wrong where clocks move by half an hour. Without a zone it
    has no such trouble: within a stretch of constant offset the wall clock is UTC plus that offset.
    """
    begin, wall_before = after, _wall(after, _offset(after, zone))
    while True:
        offset = _offset(begin, zone)
        change = None
        for wall in _matches(expression, wall_before):
            moment = wall.replace(tzinfo=UTC) - offset
            change = _change_before(zone, begin, moment)
            if change is not None:
                break
            begin = moment
            yield moment
        if change is None:
            return
        # A match right at the change counts, too: look from the second before it, by the clock that holds there.
        begin, wall_before = change, _wall(change, _offset(change, zone)) - _SECOND


def _matches(expression: str, after: datetime) -> Iterator[datetime]:
    """What `cronsim` finds, until there is nothing for 50 years or the calendar of Python ends."""
    try:
        yield from CronSim(expression, after)
    except CronSimError as error:
        raise TimingUnfit(f"is no cron expression: {str(error).lower()}") from None
    except (OverflowError, ValueError):
        return


def _change_before(zone: ZoneInfo, begin: datetime, moment: datetime) -> datetime | None:
    """An instant after `begin` from which to look anew, because clocks stand otherwise before `moment` is reached.

    No wall clock between the two shows a match, so years are leapt over: only near `begin`, whose past can come again,
    and near `moment` does a change matter.
    """
    if moment - begin <= 3 * _DAY:
        return _next_change(zone, begin, moment)
    near = moment - 2 * _DAY
    if _offset(near, zone) != _offset(begin, zone):
        return _next_change(zone, begin, begin + _DAY) or near
    return _next_change(zone, begin, begin + _DAY) or _next_change(zone, near, moment)


def _next_change(zone: ZoneInfo, begin: datetime, until: datetime) -> datetime | None:
    """The first instant after `begin`, up to `until`, at which clocks stand otherwise; to the second."""
    offset = _offset(begin, zone)
    low = begin.replace(microsecond=0)
    while low < until:
        high = min(low + _DAY, until)
        if _offset(high, zone) != offset:
            while high - low > _SECOND:
                middle = low + (high - low) // _SECOND // 2 * _SECOND
                low, high = (low, middle) if _offset(middle, zone) != offset else (middle, high)
            return high
        low = high
    return None


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _wall(moment: datetime, offset: timedelta) -> datetime:
    return (moment + offset).replace(tzinfo=None)


def _fields(expression: str) -> list[str]:
    """The fields of an expression. Raises `TimingUnfit`."""
    if len(expression) > CRON_LENGTH_MAX or not expression.isascii():
        raise TimingUnfit(f"must have at most {CRON_LENGTH_MAX} characters, all of them ASCII")
    fields = expression.split()
    if len(fields) != CRON_FIELDS:
        # cronsim takes a sixth one for seconds.
        raise TimingUnfit("must have five fields: minute, hour, day of month, month, day of week")
    return fields


def _zone(timezone: str) -> ZoneInfo:
    """Only a key that is known: ZoneInfo makes a path of the name."""
    if timezone not in known_zones():
        raise TimingUnfit(f"the zone {timezone[:64]!r} is not known here")
    return ZoneInfo(timezone)
