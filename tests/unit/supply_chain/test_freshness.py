"""What grows old is found at the right day. No test here asks for today's date: none may begin to fail by itself."""

import datetime

from supply_chain import accepted, freshness, pins
from supply_chain.accepted import Accepted, AcceptedTable
from supply_chain.findings import ROOT

LOOKED_UP = datetime.date(2026, 11, 21)


def days_after(day: datetime.date, days: int) -> datetime.date:
    return day + datetime.timedelta(days=days)


def test_a_pin_must_be_looked_up_again_the_sooner_the_worse_its_evidence() -> None:
    table = pins.read()
    actions = pins.Pins(tuple(pin for pin in table.actions if pin.grade == "A"), (), ())
    images = pins.Pins((), tuple(pin for pin in table.images if pin.grade == "C"), ())
    assert list(freshness.pin_findings(actions, days_after(LOOKED_UP, 180))) == []
    assert list(freshness.pin_findings(images, days_after(LOOKED_UP, 60))) == []
    late = [
        finding.message
        for finding in freshness.pin_findings(images, days_after(max(pin.seen for pin in images.images), 61))
    ]
    assert len(late) == len(images.images)
    assert "looked up 61 days ago" in late[0]


def test_what_was_accepted_ends_and_may_not_be_accepted_for_long() -> None:
    entry = Accepted("CVE-2019-10906", "jinja2", "only templates of our own are rendered here", LOOKED_UP)
    table = AcceptedTable((entry,))
    assert list(freshness.accepted_findings(table, LOOKED_UP)) == []
    assert "was accepted until" in next(freshness.accepted_findings(table, days_after(LOOKED_UP, 1))).message
    assert "for more than 90 days" in next(freshness.accepted_findings(table, days_after(LOOKED_UP, -91))).message
    assert accepted.ACCEPTED_DAYS_MAX == 90


def test_the_security_insights_are_due_thirty_days_before_they_expire() -> None:
    insights = freshness.read_insights(ROOT / "SECURITY-INSIGHTS.yml")
    expires = insights.header.expires
    assert expires == days_after(datetime.date.fromisoformat(insights.header.last_reviewed), 180)
    assert list(freshness.insights_findings(insights, days_after(expires, -30))) == []
    assert "expires in 29 days" in next(freshness.insights_findings(insights, days_after(expires, -29))).message
