"""Lines of a batch as events, leniently: what a second look can read is not lost."""

import json

import msgspec

from qg_core.access_events import AccessEvent, EventRefused, decode_event


def read_line(line: bytes) -> AccessEvent:
    """The event of one line. Raises `EventRefused`; the message holds nothing of the line.

    A line with lone surrogates, with bytes that are no UTF-8, or longer than nodes write them is read by the standard
    library, which takes all of these; what can't be stored of it is replaced or cut later. How long a line may be at
    all, its batch has bounded.
    """
    try:
        return decode_event(line)
    except EventRefused as first:
        try:
            return msgspec.convert(json.loads(line.decode("utf-8", "replace")), AccessEvent)
        except (ValueError, OverflowError, RecursionError):  # ValidationError of msgspec is a ValueError, too
            raise first from None
