"""CISA's catalog of vulnerabilities that are known to be exploited (KEV), as its JSON feed has it."""

import datetime
from pathlib import Path

import msgspec

from supply_chain.findings import Finding

# It passed this in 2023 and only grows: less is a truncated or another file.
ENTRIES_MIN = 1_000
# It is published on most working days.
AGE_DAYS_MAX = 21


class Entry(msgspec.Struct, frozen=True, rename={"cve_id": "cveID"}):
    """One vulnerability."""

    cve_id: str


class Catalog(msgspec.Struct, frozen=True, rename="camel"):
    """The feed."""

    date_released: datetime.datetime
    vulnerabilities: tuple[Entry, ...]


def read(path: Path, today: datetime.date) -> tuple[frozenset[str], list[Finding]]:
    """The CVE ids that are exploited, and findings when the catalog can't be relied on: missing, too small, too old."""
    try:
        catalog = msgspec.json.decode(path.read_bytes(), type=Catalog)
    except (OSError, msgspec.DecodeError) as error:
        return frozenset(), [Finding(path.name, 0, f"no catalog of exploited vulnerabilities: {error}")]
    findings = []
    if len(catalog.vulnerabilities) < ENTRIES_MIN:
        findings.append(Finding(path.name, 0, f"only {len(catalog.vulnerabilities)} entries: not the whole catalog"))
    if (today - catalog.date_released.date()).days > AGE_DAYS_MAX:
        findings.append(Finding(path.name, 0, f"of {catalog.date_released.date()}: too old to rely on"))
    return frozenset(entry.cve_id for entry in catalog.vulnerabilities), findings
