"""Settings of the data plane: all problems at once, no secret in any of them, and a page that tells the truth."""

import re
from pathlib import Path

import pytest

from data_plane.settings import VARIABLES, Settings, settings_from
from qg_core.environment import SettingsInvalid
from qg_security.sealing import new_fernet_key
from qg_security.signing import generate_signing_key

SEAL_KEYS = [new_fernet_key(), new_fernet_key()]
VERIFY_KEYS = [generate_signing_key()[1], generate_signing_key()[1]]
GOOD = {
    "GATEWAY_ID": "acme-1",
    "REDIS_URL": "redis://:hunter2@127.0.0.1:6379/0",
    "BUNDLE_SEAL_KEY": ",".join(SEAL_KEYS),
    "BUNDLE_VERIFY_KEYS": ", ".join(VERIFY_KEYS),
    "STATE_DIR": "/var/lib/querygateway",
}


def test_defaults() -> None:
    settings = settings_from(GOOD)
    assert settings.bundle_seal_keys == tuple(SEAL_KEYS)
    assert settings.staleness_max_s == 86_400
    assert settings.cors_origins == ()
    assert settings.security_headers
    assert settings.node_name is None
    assert "hunter2" not in repr(settings)
    assert SEAL_KEYS[0] not in repr(settings)


def test_every_field_has_a_variable() -> None:
    assert {variable.field for variable in VARIABLES} == set(Settings.__struct_fields__)


def test_all_problems_together_without_secrets() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings_from(
            {
                "GATEWAY_ID": "No Good",
                "REDIS_URL": "http://:hunter2@x",
                "BUNDLE_SEAL_KEY": "not-a-fernet-key",
                "STALENESS_MAX_S": "never",
                "TRUSTED_PROXIES": "everyone",
                "CORS_ORIGINS": "*",
                "DEBUG": "true",
                "PORT": "80 80",
            }
        )
    names = [problem.split(":")[0] for problem in caught.value.problems]
    assert names == [
        "GATEWAY_ID",
        "REDIS_URL",
        "BUNDLE_SEAL_KEY",
        "BUNDLE_VERIFY_KEYS",
        "STATE_DIR",
        "STALENESS_MAX_S",
        "TRUSTED_PROXIES",
        "CORS_ORIGINS",
        "PORT",
        "DEBUG",
    ]
    assert "hunter2" not in str(caught.value)
    assert "not-a-fernet-key" not in str(caught.value)


def test_staleness_off_is_written_out() -> None:
    assert settings_from({**GOOD, "STALENESS_MAX_S": "off"}).staleness_max_s is None
    for text in ("0", "", "-1", "no"):
        with pytest.raises(SettingsInvalid):
            settings_from({**GOOD, "STALENESS_MAX_S": text})


@pytest.mark.parametrize("origins", ["https://a.example/", "https://a.example/x", "ftp://a", "null", "*.example.com"])
def test_origins_are_origins(origins: str) -> None:
    with pytest.raises(SettingsInvalid):
        settings_from({**GOOD, "CORS_ORIGINS": origins})


def test_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "seal").write_text(",".join(SEAL_KEYS) + "\n")
    environ = {**GOOD, "BUNDLE_SEAL_KEY_FILE": str(tmp_path / "seal")}
    del environ["BUNDLE_SEAL_KEY"]
    assert settings_from(environ).bundle_seal_keys == tuple(SEAL_KEYS)


def test_the_page_lists_exactly_these_variables() -> None:
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
    section = page.split("## Data plane", 1)[1].split("\n## ", 1)[0]
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
