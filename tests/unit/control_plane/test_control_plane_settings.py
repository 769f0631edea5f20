"""Settings of the control plane: all problems at once, no secret in any of them, and a page that tells the truth."""

import re
from pathlib import Path

import pytest

from control_plane.settings import VARIABLES, Settings, settings_from
from qg_core.environment import SettingsInvalid
from qg_security.sealing import new_fernet_key
from qg_security.signing import generate_signing_key

PRIVATE, PUBLIC = generate_signing_key()
_, FOREIGN = generate_signing_key()
GOOD = {
    "GATEWAY_ID": "acme-1",
    "DATABASE_URL": "postgresql://app:hunter2@127.0.0.1/qg",
    "REDIS_URL": "redis://:hunter2@127.0.0.1:6379/0",
    "ENCRYPTION_KEY": f"{new_fernet_key()}, {new_fernet_key()}",
    "BUNDLE_SEAL_KEY": new_fernet_key(),
    "BUNDLE_SIGNING_KEY": PRIVATE,
    "BUNDLE_VERIFY_KEYS": f"{PUBLIC},{FOREIGN}",
    "JWT_SECRET_KEY": "s" * 32,
    "ADMIN_USERNAME": "admin",
    "ADMIN_PASSWORD_HASH": "$2b$12$" + "a" * 53,
}


def test_defaults() -> None:
    settings = settings_from(GOOD)
    assert len(settings.encryption_keys) == 2
    assert (settings.port, settings.ops_port) == (8000, 9000)
    assert settings.failure_limits.per_user_max == 10
    assert settings.failure_limits.per_network_max == 50
    assert settings.failure_limits.window_s == 300
    assert "hunter2" not in repr(settings)
    assert PRIVATE not in repr(settings)


def test_every_field_has_a_variable() -> None:
    assert {variable.field for variable in VARIABLES} == set(Settings.__struct_fields__)


def test_all_problems_together_without_secrets() -> None:
    secret = "hunter2-not-a-key"
    wrong = {
        "GATEWAY_ID": "No Good",
        "DATABASE_URL": f"mysql://x:{secret}@y/z",
        "REDIS_URL": f"http://:{secret}@x",
        "ENCRYPTION_KEY": secret,
        "BUNDLE_SEAL_KEY": "",
        "BUNDLE_SIGNING_KEY": secret,
        "BUNDLE_VERIFY_KEYS": secret,
        "JWT_SECRET_KEY": secret,
        "ADMIN_USERNAME": "a\nb",
        "ADMIN_PASSWORD_HASH": secret,
        "ORACLE_HOSTS_ALLOWED": "not a host",
        "TRUSTED_PROXIES": "everyone",
        "CORS_ORIGINS": "*",
        "SIGN_IN_FAILURES_USER_MAX": "0",
        "DEBUG": "true",
        "PORT": "9000",
    }
    with pytest.raises(SettingsInvalid) as caught:
        settings_from(wrong)
    names = {problem.split(":")[0] for problem in caught.value.problems}
    assert names == set(wrong) - {"PORT"} | {"OPS_PORT"}
    assert secret not in str(caught.value)


def test_nothing_at_all() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings_from({})
    required = {variable.name for variable in VARIABLES if variable.default is None}
    assert {problem.split(":")[0] for problem in caught.value.problems} == required


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"BUNDLE_VERIFY_KEYS": FOREIGN}, "BUNDLE_VERIFY_KEYS"),
        ({"BUNDLE_SEAL_KEY": GOOD["ENCRYPTION_KEY"].split(",")[0]}, "BUNDLE_SEAL_KEY"),
        ({"DEBUG": "true", "APP_ENV": "production"}, "DEBUG"),
        ({"QG_FAULT_POINT": "after_commit"}, "QG_FAULT_POINT"),
        ({"QG_FAULT_POINT": "nowhere", "APP_ENV": "test"}, "QG_FAULT_POINT"),
        ({"JWT_SECRET_KEY": "s" * 32 + ",short"}, "JWT_SECRET_KEY"),
        ({"ADMIN_PASSWORD_HASH": "$2b$31$" + "a" * 53}, "ADMIN_PASSWORD_HASH"),
    ],
)
def test_contradictions(change: dict[str, str], name: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"^{name}:"):
        settings_from({**GOOD, **change})


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(PRIVATE + "\n")
    environ = {key: value for key, value in GOOD.items() if key != "BUNDLE_SIGNING_KEY"}
    assert settings_from({**environ, "BUNDLE_SIGNING_KEY_FILE": str(file)}).bundle_signing_key == PRIVATE


def test_the_page_lists_exactly_these() -> None:
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text()
    section = re.search(r"^## Control plane\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert section is not None
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", section.group(1), re.MULTILINE)
    expected = []
    for variable in VARIABLES:
        default = "required" if variable.default is None else f"`{variable.default}`" if variable.default else "empty"
        expected.append((variable.name, default, variable.description + (" Secret." if variable.secret else "")))
    assert rows == expected
