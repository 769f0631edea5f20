"""From a verified batch to what can be stored: rows, dead letters, and which numbers of the log are settled by it.

Every event stands for itself: one that can't be stored takes no other one along.
"""

from datetime import datetime

import msgspec

from qg_bundle.access.codec import Batch, BatchHeader
from qg_core.access_events import (
    METHOD_LENGTH_MAX,
    PATH_LENGTH_MAX,
    REMOTE_IP_LENGTH_MAX,
    REQUEST_ID_LENGTH_MAX,
    AccessEvent,
    EventRefused,
    event_id,
)
from qg_store.models.access_log import PRINCIPAL_CHARS_MAX
from qg_store.repositories.access_dead_letters import DeadLetter
from qg_store.repositories.access_log import AccessRow
from worker.access_log import storable
from worker.access_log.lines import read_line
from worker.access_log.spans import Span, Spans, difference, union, without_first
from worker.access_log.storable import NotStorable


class CheckedEvent(msgspec.Struct, frozen=True):
    """One event that can be stored, and its number within the log."""

    sequence: int
    row: AccessRow


class CheckedBatch(msgspec.Struct, frozen=True):
    """What one batch comes to: everything from `first` to `last` is settled by it.

    `absent` are the numbers in between that it holds no line for, so that they are lost; `base` is the smallest number
    that the node can still send.
    """

    log_id: str
    node: str
    base: int
    settled: Span
    absent: Spans
    events: list[CheckedEvent]
    dead: list[DeadLetter]


def check(batch: Batch, now: datetime) -> CheckedBatch:
    """Check every line of `batch`. Never raises because of what is in a line."""
    header = batch.header
    events: list[CheckedEvent] = []
    dead: list[DeadLetter] = []
    numbers: list[Span] = []
    unread = 0
    for index, line in enumerate(batch.lines):
        try:
            event = _event(line, header)
            numbers.append(Span(event.sequence, event.sequence))
            events.append(CheckedEvent(event.sequence, _row(event, header, now)))
        except NotStorable as error:
            dead.append(_dead(header, "not_storable", index, error, line))
        except EventRefused as error:
            unread += 1
            dead.append(_dead(header, "not_an_event", index, error, line))
    present = union(numbers)
    between = difference([Span(header.first, header.last)] if batch.lines else [], present)
    # Each line that could not be read stood for one of the numbers that no other line has.
    absent = without_first(between, unread)
    return CheckedBatch(header.log_id, header.node, header.base, Span(header.first, header.last), absent, events, dead)


def _event(line: bytes, header: BatchHeader) -> AccessEvent:
    event = read_line(line)
    if not header.first <= event.sequence <= header.last:
        raise EventRefused("its number is not one of its batch")
    return event


def _row(event: AccessEvent, header: BatchHeader, now: datetime) -> AccessRow:
    at = storable.moment(event.at, now)
    return AccessRow(
        event_id=event_id(header.log_id, event.sequence),
        at=at,
        request_id=storable.text(event.request_id, REQUEST_ID_LENGTH_MAX),
        endpoint_id=storable.row_id_or_null(event.endpoint_id),
        path=storable.text(event.path, PATH_LENGTH_MAX),
        method=storable.text(event.method, METHOD_LENGTH_MAX),
        principal=storable.text_or_null(event.principal, PRINCIPAL_CHARS_MAX),
        auth_method_id=storable.row_id_or_null(event.auth_method_id),
        credential_id=storable.row_id_or_null(event.credential_id),
        remote_ip=storable.text(event.remote_ip, REMOTE_IP_LENGTH_MAX),
        status=storable.whole(event.status, storable.INTEGER_MAX),
        duration_ms=storable.duration_ms(event.duration_ms),
        row_count=storable.whole_or_null(event.row_count),
        bytes=storable.whole(event.bytes),
        revision=storable.whole_or_null(event.revision),
        node=header.node,
    )


def _dead(header: BatchHeader, reason: str, index: int, error: ValueError, line: bytes) -> DeadLetter:
    return DeadLetter(header.log_id, reason, f"line {index} from number {header.first}: {error}", line)
