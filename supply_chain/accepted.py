"""Vulnerabilities that were looked at and may stay until a day: accepted.toml."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec

TABLE = Path(__file__).with_name("accepted.toml")
ACCEPTED_DAYS_MAX = 90


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One vulnerability of one package, known to do no harm here, until the day given."""

    id: Annotated[str, msgspec.Meta(min_length=8)]
    package: str
    reason: Annotated[str, msgspec.Meta(min_length=30)]
    until: datetime.date


class AcceptedTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them."""

    accepted: tuple[Accepted, ...] = ()

    def covers(self, package: str, ids: Iterable[str], today: datetime.date) -> bool:
        """Whether the vulnerability with these ids (its own and its aliases) may stay in `package` today."""
        known = set(ids)
        return any(entry.package == package and entry.id in known and entry.until >= today for entry in self.accepted)


def read(path: Path = TABLE) -> AcceptedTable:
    """Read the table; raises `msgspec.ValidationError` when an entry gives no reason or no day."""
    return msgspec.toml.decode(path.read_bytes(), type=AcceptedTable)
