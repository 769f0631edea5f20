"""Events as JSON lines: `{"at", "level", "service", "event", ...fields}`, one per line, fit for any reader.

`at` is RFC 3339 in UTC with milliseconds.
"""

import time
from collections.abc import Sequence

import msgspec
from msgspec.structs import fields, replace

from qg_telemetry.events import Event, Level, LogLinesDropped
from qg_telemetry.redaction import clean
from qg_telemetry.sink import LineSink

_encoder = msgspec.json.Encoder(decimal_format="string")
_encode, _encode_lines = _encoder.encode, _encoder.encode_lines


class Log:
    """Writes events of `level` and above to `sink`, under the name of `service`. Never raises."""

    def __init__(self, service: str, level: Level, sink: LineSink) -> None:
        self.level = level
        self._sink = sink
        self._heads = {level: _head_of(level, service) for level in Level}
        self._texts: dict[type[Event], tuple[str, ...]] = {}
        self._second = -1
        self._second_text = b""
        self._dropped_before = 0

    @property
    def lines_dropped(self) -> int:
        """How many lines were dropped because nobody read standard output."""
        return self._sink.lines_dropped

    def write(self, event: Event, level: Level | None = None) -> None:
        """Write one event, at its own level or at `level`."""
        level = event.level if level is None else level
        if level < self.level:
            return
        if self._sink.lines_dropped != self._dropped_before and self._sink.has_room:
            self._tell_dropped()
        self._sink.put(self._line(event, level))

    def write_all(self, events: Sequence[Event]) -> None:
        """Write events of one type, at least one, at their own level: the same lines for less."""
        level = events[0].level
        if level < self.level:
            return
        try:
            body = _encode_lines([self._cleaned(event) for event in events] if self._texts_of(events[0]) else events)
        except (TypeError, ValueError):  # one of them breaks its declaration
            for event in events:
                self.write(event)
            return
        if self._sink.lines_dropped != self._dropped_before and self._sink.has_room:
            self._tell_dropped()
        # A line break is never part of a line: JSON escapes it.
        head = self._head(level)
        self._sink.put(head + body[1:].replace(b"\n{", b"\n" + head))

    def _head(self, level: Level) -> bytes:
        return b"%b%b%b" % (b'{"at":"', self._now(), self._heads[level])

    def _line(self, event: Event, level: Level) -> bytes:
        event = self._cleaned(event)
        try:
            body = _encode(event)
        except (TypeError, ValueError) as error:  # an event that breaks its own declaration must still leave a trace
            body = _encode({"event": event.event, "unwritable": clean(str(error))})
        return b"%b%b\n" % (self._head(level), body[1:])

    def _cleaned(self, event: Event) -> Event:
        changed: dict[str, object] | None = None
        for name in self._texts_of(event):
            value = getattr(event, name)
            if type(value) is str:
                cleaned: object = clean(value)
            elif type(value) is tuple:
                cleaned = tuple(clean(item) if type(item) is str else item for item in value)
            else:
                continue
            if cleaned != value:
                changed = changed or {}
                changed[name] = cleaned
        return event if changed is None else replace(event, **changed)

    def _texts_of(self, event: Event) -> tuple[str, ...]:
        event_type = type(event)
        texts = self._texts.get(event_type)
        if texts is None:
            texts = self._texts[event_type] = texts_of(event_type)
        return texts

    def _now(self) -> bytes:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode("ascii")
            self._second = second
        return b"%b.%03dZ" % (self._second_text, (now - second) * 1000)

    def _tell_dropped(self) -> None:
        dropped = self._sink.lines_dropped
        lines, self._dropped_before = dropped - self._dropped_before, dropped
        event = LogLinesDropped(lines=lines)
        self._sink.put(self._line(event, event.level))


def texts_of(event_type: type[Event]) -> tuple[str, ...]:
    """The fields that pass through redaction: those the event names, else every one that may hold text."""
    if event_type.texts is not None:
        return event_type.texts
    return tuple(field.name for field in fields(event_type) if field.type not in (int, float, bool))


def _head_of(level: Level, service: str) -> bytes:
    return b'","level":"%b","service":%b,' % (level.name.lower().encode("ascii"), _encode(service))
