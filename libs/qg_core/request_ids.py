"""Request ids: accepted from the caller when well formed, else made here."""

import random
import re

_WELL_FORMED = re.compile(rb"[A-Za-z0-9._:-]{1,64}\Z")

_numbers = random.Random()  # noqa: S311  # ids have to differ, not to be secret; this one is seeded by the system


def request_id_from(received: bytes | None) -> str:
    """The caller's `X-Request-ID` when it is `[A-Za-z0-9._:-]{1,64}`, else a new one of 128 random bits in hex."""
    if received is not None and _WELL_FORMED.match(received):
        return received.decode("ascii")
    return _numbers.getrandbits(128).to_bytes(16).hex()
