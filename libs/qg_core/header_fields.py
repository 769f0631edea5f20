"""The header lines of a request as one mapping, made at the speed of a dict: every request needs it."""

from collections.abc import Sequence
from itertools import chain

HeaderLine = tuple[bytes, bytes]
"""Name, in lower case as HTTP servers hand it over, and value."""

_LINE_OVERHEAD_BYTES = 4
"""What HTTP/1.1 writes around name and value: colon, space, CR, LF."""
_JOIN = b", "


class HeaderFields(dict[bytes, bytes]):
    """Values by name; those of `repeated` names are joined as RFC 9110 section 5.3 says. Made by `read_fields`.

    Where two values would leave open which one counts (credentials), look at `repeated` first.
    """

    repeated: frozenset[bytes] = frozenset()
    _joined_away = 0

    @property
    def size(self) -> int:
        """Bytes of all lines as HTTP/1.1 writes them: name, colon, space, value, CR, LF."""
        return sum(map(len, chain.from_iterable(self.items()))) + _LINE_OVERHEAD_BYTES * len(self) + self._joined_away


def read_fields(lines: Sequence[HeaderLine]) -> HeaderFields:
    """The fields of header lines."""
    fields = HeaderFields(lines)
    return fields if len(fields) == len(lines) else _joined(lines)


def _joined(lines: Sequence[HeaderLine]) -> HeaderFields:
    values: dict[bytes, list[bytes]] = {}
    for name, value in lines:
        values.setdefault(name, []).append(value)
    fields = HeaderFields({name: _JOIN.join(found) for name, found in values.items()})
    fields.repeated = frozenset(name for name, found in values.items() if len(found) > 1)
    fields._joined_away = sum(
        (len(name) + _LINE_OVERHEAD_BYTES - len(_JOIN)) * (len(found) - 1) for name, found in values.items()
    )
    return fields
