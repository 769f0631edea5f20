"""What the operations page names exists: metrics, variables, commands, events, alerts; and migrations only add."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from cli import migration
from cli.main import make_parser
from control_plane.settings import VARIABLES as CONTROL_PLANE
from data_plane.settings import VARIABLES as DATA_PLANE
from helm.checks.metric_names import alert_rules
from qg_bundle.rejections import Reason
from qg_core import errors
from qg_core.gateway_settings import GATEWAY_SETTINGS
from qg_core.nodes import NodeState
from qg_core.specs import ConnectionSpec, EndpointSpec
from qg_store.migrations import roles
from qg_store.revisions import SCRIPTS
from qg_telemetry.events import every_event
from worker.settings import VARIABLES as WORKER

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

_PROSE = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
SPANS = set(re.findall(r"`([^`\n]+)`", _PROSE))

METRICS = set(
    re.findall(r"^\| `(qg_[a-z_]+)` \|", (ROOT / "docs/metrics.md").read_text(encoding="utf-8"), re.MULTILINE)
)
VARIABLES = {one.name for one in (*CONTROL_PLANE, *DATA_PLANE, *WORKER, *migration.VARIABLES)}
EVENTS = {event.event: event for event in every_event()}
CODES = {error.code for error in vars(errors).values() if isinstance(error, type) and hasattr(error, "code")}
WORDS_OF_POSTGRES = {roles.APP, roles.WORKER, roles.OWNER, "access_dead_letters"}
FIELDS = {
    *("client_ip", "error_detail", "last_error", "ora_code", "request_id", "client_identifier"),
    *("pool_min", "pool_max", "query_timeout", "missed", "unpublished", "disk_full", "token_from_the_future"),
}
"""Words of events, of the admin API and of Oracle that stand on the page by themselves."""

KNOWN_WORDS = (
    METRICS
    | set(EVENTS)
    | CODES
    | WORDS_OF_POSTGRES
    | FIELDS
    | set(GATEWAY_SETTINGS)
    | {state.value for state in NodeState}
    | {reason.value for reason in Reason}
    | {*EndpointSpec.__struct_fields__, *ConnectionSpec.__struct_fields__}
)


def test_every_metric_exists() -> None:
    named = set(re.findall(r"\bqg_[a-z_]+", _PROSE))
    assert named - WORDS_OF_POSTGRES <= METRICS
    assert len(named) > 10


def test_every_variable_exists() -> None:
    named = {span for span in SPANS if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", span)}
    not_ours = {"SESSIONS_PER_USER"}
    assert named - not_ours <= VARIABLES
    assert len(named) > 20


def test_every_word_in_code_style_is_a_word_of_ours() -> None:
    """An event, an error code, a state, a reason, a field: something that a reader will look for in a log."""
    named = {span for span in SPANS if re.fullmatch(r"[a-z]+(_[a-z]+)+", span)}
    assert named - KNOWN_WORDS == set()


@pytest.mark.parametrize("command", sorted(span for span in SPANS if span.startswith("querygateway ")))
def test_every_command_is_understood(command: str) -> None:
    words = shlex.split(command.replace("<pid>", "1"))[1:]
    try:
        arguments = make_parser().parse_args(words)
    except (SystemExit, argparse.ArgumentError):
        raise AssertionError(f"{command} is no command") from None
    assert callable(arguments.run)


def test_every_alert_of_the_chart_has_its_row() -> None:
    rows = re.findall(r"^\| `(QueryGateway\w+)` \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert len({name for name, _, _ in rows}) == len(rows)
    assert {name for name, _, _ in rows} == {rule["alert"] for rule in alert_rules()}


def takes_away(source: str) -> list[str]:
    """What the upgrade of a migration does that an older release beside it would miss."""
    upgrade = source.split("\ndef upgrade", 1)[1].split("\ndef ", 1)[0]
    return re.findall(r"op\.(?:drop|alter|rename)_\w+|\b(?:DROP|RENAME|SET NOT NULL|TYPE) [\w ]+", upgrade)


@pytest.mark.parametrize("script", sorted((SCRIPTS / "versions").glob("*.py")), ids=lambda path: path.stem)
def test_migrations_only_add(script: Path) -> None:
    """As "Upgrade" promises: the release before goes on working on the tables of this one."""
    assert takes_away(script.read_text(encoding="utf-8")) == []


def test_what_takes_away_is_seen() -> None:
    source = 'x\ndef upgrade() -> None:\n    op.drop_column("a", "b")\n    op.execute("ALTER TABLE a DROP COLUMN b")\n'
    assert takes_away(source) == ["op.drop_column", "DROP COLUMN b"]
    assert (
        takes_away('x\ndef upgrade() -> None:\n    op.add_column("a")\n\ndef downgrade() -> None:\n    op.drop_x()\n')
        == []
    )
