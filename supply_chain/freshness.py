"""`make freshness`: what grows old. Apart from `make test` and `make pin-lint`, which must not fail by the calendar.

Pins whose evidence is old, accepted vulnerabilities whose time is over or was too long, and SECURITY-INSIGHTS.yml
before its review is due. Runs weekly (.github/workflows/security.yml).
"""

import datetime
from collections.abc import Iterator
from pathlib import Path

import msgspec

from supply_chain import accepted, pins
from supply_chain.accepted import ACCEPTED_DAYS_MAX, AcceptedTable
from supply_chain.findings import ROOT, Finding, conclude
from supply_chain.pins import ActionPin, ImagePin, Pins

# Evidence of lower grade has to be looked up again sooner.
PIN_DAYS_MAX = {"A": 180, "B": 120, "C": 60}
INSIGHTS_DAYS_MAX = 180
INSIGHTS_NOTICE_DAYS = 30


class InsightsHeader(msgspec.Struct, frozen=True, rename="kebab"):
    """The dates of SECURITY-INSIGHTS.yml. Schema 2.0 has no expiry: ours is INSIGHTS_DAYS_MAX after the last review."""

    last_reviewed: str
    last_updated: str

    @property
    def expires(self) -> datetime.date:
        """The day from which nobody should rely on it any more."""
        return datetime.date.fromisoformat(self.last_reviewed) + datetime.timedelta(days=INSIGHTS_DAYS_MAX)


class Insights(msgspec.Struct, frozen=True):
    """As much of SECURITY-INSIGHTS.yml as has to do with time."""

    header: InsightsHeader


def read_insights(path: Path) -> Insights:
    """Read its header; raises `msgspec.ValidationError` when a date is missing."""
    return msgspec.yaml.decode(path.read_bytes(), type=Insights)


def pin_findings(table: Pins, today: datetime.date) -> Iterator[Finding]:
    """Pins whose evidence is older than their grade allows."""
    pins_of_both: list[ActionPin | ImagePin] = [*table.actions, *table.images]
    for pin in pins_of_both:
        age_days = (today - pin.seen).days
        if age_days > PIN_DAYS_MAX[pin.grade]:
            yield Finding(
                "supply_chain/pins.toml", 0, f"{pin.name}: looked up {age_days} days ago, grade {pin.grade}; look again"
            )


def accepted_findings(table: AcceptedTable, today: datetime.date) -> Iterator[Finding]:
    """Accepted vulnerabilities whose time is over, or was made too long."""
    for entry in table.accepted:
        if entry.until < today:
            yield Finding(
                "supply_chain/accepted.toml", 0, f"{entry.id} in {entry.package} was accepted until {entry.until}"
            )
        elif (entry.until - today).days > ACCEPTED_DAYS_MAX:
            yield Finding(
                "supply_chain/accepted.toml", 0, f"{entry.id} is accepted for more than {ACCEPTED_DAYS_MAX} days"
            )


def insights_findings(insights: Insights, today: datetime.date) -> Iterator[Finding]:
    """A finding from INSIGHTS_NOTICE_DAYS before SECURITY-INSIGHTS.yml expires."""
    left_days = (insights.header.expires - today).days
    if left_days < INSIGHTS_NOTICE_DAYS:
        yield Finding("SECURITY-INSIGHTS.yml", 0, f"expires in {left_days} days: review it and set last-reviewed")


def main() -> int:
    """Check all dates against today's."""
    today = datetime.datetime.now(datetime.UTC).date()
    findings = [
        *pin_findings(pins.read(), today),
        *accepted_findings(accepted.read(), today),
        *insights_findings(read_insights(ROOT / "SECURITY-INSIGHTS.yml"), today),
    ]
    return conclude("freshness", findings, "nothing has grown old")


if __name__ == "__main__":
    raise SystemExit(main())
