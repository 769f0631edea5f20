"""An audit that looked nothing up fails. The reports are pip-audit 2.10.1's, with and without data behind it."""

import datetime
import json
import re
from pathlib import Path

import pytest

from supply_chain import accepted, audit
from supply_chain.accepted import Accepted, AcceptedTable
from supply_chain.findings import ROOT
from supply_chain.locks import LOCKS, applicable, path_of, pinned
from tests.support.programs import make_program

TODAY = datetime.date(2026, 11, 22)
NOTHING_ACCEPTED = AcceptedTable()

# Ended with status 0 and "No known vulnerabilities found", where the index has no vulnerability data.
SKIPPED = (
    b'{"dependencies": [{"name": "jinja2", "skip_reason": "Dependency not found on PyPI and could not be audited: '
    b'jinja2 (2.4.1)"}], "fixes": []}'
)
# Status 0, too: a service that answers every question with "I know nothing".
EMPTY = b'{"dependencies": [{"name": "jinja2", "version": "2.4.1", "vulns": []}], "fixes": []}'
# Status 1, as it should be for the canary.
FOUND = (
    b'{"dependencies": [{"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": '
    b'["2.10.1"], "aliases": ["CVE-2019-10906", "GHSA-462w-v97r-4m45"], "description": ""}]}], "fixes": []}'
)


def report(**versions: str) -> bytes:
    found = [{"name": name, "version": version, "vulns": []} for name, version in versions.items()]
    return json.dumps({"dependencies": found, "fixes": []}).encode()


def lock_messages(expected: dict[str, str], written: bytes, table: AcceptedTable = NOTHING_ACCEPTED) -> list[str]:
    return [finding.message for finding in audit.lock_findings("requirements.lock", expected, written, table, TODAY)]


@pytest.mark.parametrize("written", [SKIPPED, EMPTY, b"", b"No known vulnerabilities found", b"{}"])
def test_a_canary_whose_vulnerabilities_are_not_found_means_that_nothing_was_audited(written: bytes) -> None:
    (finding,) = audit.canary_findings(written)
    assert finding.path == "supply_chain/canary.list"
    assert finding.message.startswith("nothing was audited")


def test_a_canary_whose_vulnerabilities_are_found_is_well() -> None:
    assert audit.canary_findings(FOUND) == []


@pytest.mark.parametrize("written", [SKIPPED, b"", b'{"dependencies": []}'])
def test_a_lock_of_which_nothing_was_looked_up_fails(written: bytes) -> None:
    (message,) = lock_messages({"jinja2": "2.4.1"}, written)
    assert message.startswith("nothing was audited")


def test_every_package_of_a_lock_must_have_been_looked_up_at_its_version() -> None:
    expected = {"alembic": "1.20.1", "anyio": "4.16.0", "arq": "0.28.0"}
    assert lock_messages(expected, report(alembic="1.20.1", anyio="4.16.0", arq="0.28.0")) == []
    assert lock_messages(expected, report(alembic="1.20.1", anyio="4.15.0")) == [
        "anyio 4.16.0 was not audited: not in the report",
        "arq 0.28.0 was not audited: not in the report",
    ]


def test_a_vulnerability_fails_until_it_was_accepted_and_again_when_its_time_is_over() -> None:
    expected = {"jinja2": "2.4.1"}
    (message,) = lock_messages(expected, FOUND)
    assert "CVE-2019-10906" in message
    assert message.endswith("fixed in 2.10.1")

    def table(until: datetime.date, package: str = "jinja2") -> AcceptedTable:
        reason = "only templates of our own are rendered here"
        return AcceptedTable((Accepted("CVE-2019-10906", package, reason, until),))

    assert lock_messages(expected, FOUND, table(TODAY)) == []
    assert len(lock_messages(expected, FOUND, table(TODAY - datetime.timedelta(days=1)))) == 1
    assert len(lock_messages(expected, FOUND, table(TODAY, package="markupsafe"))) == 1


@pytest.mark.parametrize(
    ("canary", "status", "said"),
    [(FOUND, 0, "nothing found"), (EMPTY, 1, "supply_chain/canary.list: nothing was audited")],
    ids=["with data", "without data"],
)
def test_the_command_asks_the_tool_about_the_canary_and_every_lock(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], canary: bytes, status: int, said: str
) -> None:
    """With a program that answers as pip-audit did: which files it was asked about, and what comes of its answers."""
    answers = tmp_path / "answers"
    answers.mkdir()
    (answers / "canary.list").write_bytes(canary)
    for name in LOCKS:
        (answers / Path(name).name).write_bytes(report(**applicable(path_of(name))))
    tool = make_program(
        tmp_path,
        "pip-audit",
        f'echo "$@" >> {tmp_path}/asked\nfor last; do :; done\n'
        f'while [ "$1" != --output ]; do shift; done\ncp {answers}/"$(basename "$last")" "$2"',
    )

    assert audit.main([str(tool), str(tmp_path / "reports")]) == status
    assert said in capfd.readouterr().out
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(asked) == 1 + len(LOCKS)
    assert all(line.startswith("--strict ") for line in asked)
    assert all("--require-hashes" in line for line in asked[1:])


def test_every_lock_of_the_tree_is_audited() -> None:
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "." and path.name != "build"]
    there = [*ROOT.glob("*.lock"), *(path for folder in folders for path in folder.rglob("*.lock"))]
    assert set(LOCKS) == {str(path.relative_to(ROOT)) for path in there if path.name != "uv.lock"}
    assert {"requirements.lock", "requirements-dev.lock"} < set(LOCKS)
    for name in LOCKS:
        assert len(pinned(path_of(name))) == len(re.findall("^[a-z0-9]", path_of(name).read_text(), re.MULTILINE))


def test_the_canary_is_in_no_lock() -> None:
    (name, version) = audit.CANARY.read_text().splitlines()[-1].split("==")
    assert all(pinned(path_of(lock)).get(name) != version for lock in LOCKS)


def test_what_is_accepted_gives_a_reason(tmp_path: Path) -> None:
    assert accepted.read().accepted == () or all(entry.reason for entry in accepted.read().accepted)
    table = tmp_path / "accepted.toml"
    table.write_text('[[accepted]]\nid = "CVE-2019-10906"\npackage = "jinja2"\nreason = "ok"\nuntil = 2026-12-01\n')
    with pytest.raises(ValueError, match="reason"):
        accepted.read(table)
