"""The cursor of a page of the access log: where the page before ended, as one opaque word."""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta

import msgspec

from qg_core.errors import FieldProblem, InvalidInput

CURSOR_LENGTH_MAX = 200
_ALPHABET = re.compile(r"[A-Za-z0-9_-]+").fullmatch
_EVENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,96}").fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_MAX = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last row of a page: `at_us` is microseconds since 1970, as exact as Postgres keeps them."""

    at_us: int
    event_id: str

    @property
    def at(self) -> datetime:
        return _EPOCH + self.at_us * _MICROSECOND


def cursor_after(at: datetime, event_id: str) -> str:
    """The cursor that continues after the row of this time and id."""
    place = Place((at - _EPOCH) // _MICROSECOND, event_id)
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode("ascii").rstrip("=")


def read_cursor(text: str) -> Place:
    """The place that a cursor names. Raises `InvalidInput` on anything that `cursor_after` does not write."""
    try:
        place = _decoded(text)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        place = None
    if place is None or not 0 <= place.at_us <= _MICROSECONDS_MAX or not _EVENT_ID(place.event_id):
        raise InvalidInput([FieldProblem("cursor", "is not the next_cursor of a page")])
    return place


def _decoded(text: str) -> Place | None:
    if len(text) > CURSOR_LENGTH_MAX or not _ALPHABET(text):
        return None
    body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return msgspec.msgpack.decode(body, type=Place)
