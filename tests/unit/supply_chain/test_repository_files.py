"""What GitHub reads beside the workflows: owners of files that are there, a template that asks, updates that wait."""

import re
from typing import Any

import msgspec
import pytest

from supply_chain.findings import ROOT

GITHUB = ROOT / ".github"


def owners() -> list[list[str]]:
    lines = (GITHUB / "CODEOWNERS").read_text().splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("pattern", [line[0] for line in owners()])
def test_every_owned_path_is_there(pattern: str) -> None:
    assert list(ROOT.glob(pattern.strip("/"))), f"{pattern} matches nothing"


def covers(pattern: str, path: str) -> bool:
    there = ROOT / path
    return any(found == there or found in there.parents for found in ROOT.glob(pattern.strip("/")))


def governed() -> list[tuple[str, bool]]:
    """The paths of the table "Changes" in docs/repository_governance.md, and whether maintainers look at them, too."""
    page = (ROOT / "docs" / "repository_governance.md").read_text()
    changes = page.partition("\n## Changes\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in changes.splitlines() if line.startswith("| ")]
    return [(path, "maintainers and" in row[2]) for row in rows for path in re.findall(r"`([^`]+)`", row[1])]


@pytest.mark.parametrize(("path", "with_maintainers"), governed())
def test_owners_are_those_that_the_governance_page_names(path: str, with_maintainers: bool) -> None:
    matching = [who for pattern, *who in owners() if covers(pattern, path)]
    expected = ["@querygateway/maintainers"] * with_maintainers + ["@querygateway/security"]
    assert matching[-1] == expected


def test_the_governance_page_was_read() -> None:
    assert len(governed()) > 25


@pytest.mark.parametrize(
    "subject", ["Authentication", "SQL policy", "Scheduler", "Credentials", "New or changed settings"]
)
def test_the_pull_request_template_asks_for_a_focused_review(subject: str) -> None:
    boxes = [
        line for line in (GITHUB / "PULL_REQUEST_TEMPLATE.md").read_text().splitlines() if line.startswith("- [ ]")
    ]
    assert any(f"**{subject}" in box for box in boxes)


def test_every_kind_of_update_waits_before_it_is_proposed() -> None:
    content = msgspec.yaml.decode((GITHUB / "dependabot.yml").read_bytes(), type=dict[str, Any])
    updates = content["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"pip", "github-actions", "docker", "docker-compose"}
    for update in updates:
        assert update["cooldown"]["default-days"] >= 14
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.strip("/")).is_dir()
