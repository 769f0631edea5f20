"""The way in: which connects are refused, and the two exchanges before the sign-in."""

from __future__ import annotations

from collections.abc import Callable

from qg_standin import negotiation
from qg_standin.faults import Faults
from qg_standin.packets import service_of
from qg_standin.profile import Profile
from qg_standin.wire import Malformed, NeedMore, Reader


def refusal(connect_string: str, service_name: str, faults: Faults, *, admits: bool) -> int | None:
    """The listener's error for a connect string, None if it may come in."""
    if faults.refuse_connect_code is not None:
        return faults.refuse_connect_code
    if not admits:
        return 12516
    service = service_of(connect_string)
    if service is None:
        return 12504
    kind, name = service
    if service_name.upper() in (name.upper(), name.upper().split(".")[0]):
        return None
    return 12514 if kind == "SERVICE_NAME" else 12505


class Negotiator:
    """Protocol, then data types; afterwards `field_version` and `ends_marked` hold what is in force."""

    def __init__(self, profile: Profile) -> None:
        self.field_version = profile.field_version
        self.ends_marked = False
        self._profile = profile
        self._stage: Callable[[Reader], bytes] | None = self._on_protocol

    def has_ended(self) -> bool:
        return self._stage is None

    def replies(self, buffer: bytearray) -> list[bytes]:
        """Consume the whole messages at the start of `buffer`."""
        replies = []
        while buffer and self._stage is not None:
            reader = Reader(buffer)
            try:
                replies.append(self._stage(reader))
            except NeedMore:
                break
            del buffer[: reader.pos]
        return replies

    def _on_protocol(self, reader: Reader) -> bytes:
        if reader.u8() != 1:
            raise Malformed("not a protocol message")
        negotiation.skip_protocol(reader)
        self._stage = self._on_types
        return negotiation.protocol_reply(self._profile)

    def _on_types(self, reader: Reader) -> bytes:
        if reader.u8() != 2:
            raise Malformed("not a data types message")
        types = negotiation.parse_types(reader)
        self.field_version = min(types.field_version, self._profile.field_version)
        self.ends_marked = types.end_of_response and self._profile.end_of_response
        self._stage = None
        return negotiation.types_reply(types)
