"""Settings of the worker: all problems at once, no secret in any of them, and a page that tells the truth."""

import re
from pathlib import Path

import pytest

from qg_core.environment import SettingsInvalid
from qg_security.sealing import new_fernet_key
from qg_security.signing import generate_signing_key
from worker.settings import VARIABLES, Settings, settings_from

SEAL_KEY = new_fernet_key()
GOOD = {
    "GATEWAY_ID": "acme-1",
    "DATABASE_URL": "postgresql://worker:hunter2@127.0.0.1:5432/qg",
    "REDIS_URL": "redis://:hunter3@127.0.0.1:6379/0",
    "BUNDLE_SEAL_KEY": SEAL_KEY,
    "BUNDLE_VERIFY_KEYS": generate_signing_key()[1],
    "STATE_DIR": "/var/lib/querygateway",
}


def test_defaults() -> None:
    settings = settings_from(GOOD)
    assert settings.max_job_concurrency == 4
    assert settings.snapshot_bytes_max == 268_435_456
    assert settings.snapshots_redis_bytes_max == 536_870_912
    assert settings.ops_port == 9090
    assert settings.worker_name is None
    shown = repr(settings)
    assert "hunter" not in shown
    assert SEAL_KEY not in shown


def test_every_field_has_a_variable() -> None:
    assert {variable.field for variable in VARIABLES} == set(Settings.__struct_fields__)


def test_all_problems_together_without_secrets() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings_from(
            {
                "GATEWAY_ID": "No Good",
                "WORKER_NAME": "no spaces",
                "DATABASE_URL": "mysql://u:hunter2@x/y",
                "REDIS_URL": "http://:hunter3@x",
                "BUNDLE_SEAL_KEY": "not-a-fernet-key",
                "MAX_JOB_CONCURRENCY": "11",
                "SNAPSHOT_BYTES_MAX": "0",
                "DEBUG": "true",
            }
        )
    names = [problem.split(":")[0] for problem in caught.value.problems]
    assert names == [
        "GATEWAY_ID",
        "WORKER_NAME",
        "DATABASE_URL",
        "REDIS_URL",
        "BUNDLE_SEAL_KEY",
        "BUNDLE_VERIFY_KEYS",
        "STATE_DIR",
        "MAX_JOB_CONCURRENCY",
        "SNAPSHOT_BYTES_MAX",
        "DEBUG",
    ]
    assert "hunter" not in str(caught.value)
    assert "not-a-fernet-key" not in str(caught.value)


def test_it_has_no_port_for_callers() -> None:
    names = {variable.name for variable in VARIABLES}
    assert not names & {"HOST", "PORT", "ENCRYPTION_KEY", "BUNDLE_SIGNING_KEY", "JWT_SECRET_KEY"}
    # A port that another service would have says nothing here.
    assert settings_from({**GOOD, "PORT": "9090"}).ops_port == 9090


def test_the_page_lists_exactly_these_variables() -> None:
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
    section = page.split("## Worker", 1)[1].split("\n## ", 1)[0]
    rows = {
        match[1]: (match[2], match[3])
        for match in re.finditer(r"^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$", section, re.MULTILINE)
    }
    assert rows == {
        variable.name: (
            "required" if variable.default is None else f"`{variable.default}`" if variable.default else "empty",
            variable.description + (" Secret." if variable.secret else ""),
        )
        for variable in VARIABLES
    }
