"""What could not be stored as it should be: kept for admins, cut to a size, so that it can be looked into."""

from collections.abc import Mapping

from qg_store.models.access_log import DEAD_LETTER_BYTES_MAX
from qg_store.repositories.access_dead_letters import DeadLetter

ROWS_MAX = 10_000
"""Dead letters that are kept; the oldest go."""

FIELD_NAME_BYTES_MAX = 64


def of_entry(fields: Mapping[bytes, bytes], reason: str, detail: str) -> DeadLetter:
    """The dead letter of a whole entry of the stream: as much of its fields as fits. Nobody is named as its writer."""
    body = b""
    for name, value in fields.items():
        body += name[:FIELD_NAME_BYTES_MAX] + b"=" + value[:DEAD_LETTER_BYTES_MAX] + b"\n"
        if len(body) >= DEAD_LETTER_BYTES_MAX:
            break
    return DeadLetter(None, reason, detail, body[:DEAD_LETTER_BYTES_MAX])
