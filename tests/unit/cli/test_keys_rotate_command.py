"""`querygateway keys rotate` as operators meet it, before it reaches any server."""

import pytest

from cli.main import main
from control_plane.rotation.command import EXIT_KEYS_NEEDED


def test_its_help_says_the_order_and_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["keys", "rotate", "--help"], {})
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for word in ("ENCRYPTION_KEY", "BUNDLE_SEAL_KEY", "BUNDLE_SIGNING_KEY", "JWT_SECRET_KEY", "docs/key_rotation.md"):
        assert word in shown
    assert f"{EXIT_KEYS_NEEDED} they are still needed" in shown


@pytest.mark.parametrize("option", [[], ["--check"], ["--dry-run"]])
def test_it_needs_the_control_planes_settings(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "rotate", *option], {"ENCRYPTION_KEY": "not-a-key"}) == 2
    shown = capsys.readouterr().err
    assert "DATABASE_URL" in shown
    assert "ENCRYPTION_KEY" in shown
    assert "not-a-key" not in shown


def test_postgres_away_is_a_failure_that_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    keys = {}
    assert main(["keys", "new", "--format", "env"], {}) == 0
    for line in capsys.readouterr().out.splitlines():
        if not line.startswith("#"):
            name, _, value = line.partition("=")
            keys[name] = value
    environ = keys | {
        "DATABASE_URL": "postgresql://nobody:p4ssw0rd@127.0.0.1:1/nowhere",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "ADMIN_USERNAME": "ada",
        "ADMIN_PASSWORD_HASH": "$2b$12$" + "a" * 53,
    }
    assert main(["keys", "rotate"], environ) == 1
    shown = capsys.readouterr().err
    assert "stopped:" in shown
    assert "run it again" in shown
    assert "p4ssw0rd" not in shown
    assert not any(value in shown for name, value in keys.items() if name != "GATEWAY_ID")
