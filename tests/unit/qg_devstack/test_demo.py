"""The demo's definitions and the lines to paste."""

import shlex
from pathlib import Path

from qg_core.schedule_times import check_cron
from qg_devstack.announcement import announcement
from qg_devstack.demo import Demo, DemoAccess, curl_lines
from qg_devstack.demo_endpoints import API_KEY, BASIC, BEARER, ENDPOINTS, PUBLIC, CronIn, EverySeconds
from qg_devstack.record import Place
from qg_devstack.secrets import StackSecrets, new_password
from tests.unit.qg_devstack.test_record import RECORD

DEMO = Demo(DemoAccess("the-token", "the-password", "the-key"), 9)
URLS = ["http://127.0.0.1:8410", "http://127.0.0.1:8412"]


def test_every_kind_of_auth_has_endpoints() -> None:
    assert len(ENDPOINTS) >= 6
    assert {endpoint.access for endpoint in ENDPOINTS} == {BEARER, BASIC, API_KEY, PUBLIC}
    assert len({endpoint.path for endpoint in ENDPOINTS}) == len({endpoint.name for endpoint in ENDPOINTS}) == 9


def test_snapshots_come_by_the_clock_and_by_interval_and_only_to_those_who_sign_in() -> None:
    scheduled = [endpoint for endpoint in ENDPOINTS if endpoint.schedule is not None]
    assert {type(endpoint.schedule) for endpoint in scheduled} == {CronIn, EverySeconds}
    assert not [endpoint for endpoint in scheduled if endpoint.access == PUBLIC or endpoint.param_schema]
    assert not [
        endpoint
        for endpoint in scheduled
        if isinstance(endpoint.schedule, CronIn)
        and check_cron(endpoint.schedule.expression, endpoint.schedule.timezone) is not None
    ]


def test_a_line_survives_the_shell_and_both_data_planes_have_lines() -> None:
    lines = curl_lines(DEMO, URLS)
    for endpoint, line in lines:
        words = shlex.split(line)
        assert words[0] == "curl"
        assert words[-1].endswith(endpoint.path + (f"?{endpoint.sample_query}" if endpoint.sample_query else ""))
    assert {shlex.split(line)[-1].split("/api/")[0] for _, line in lines} == set(URLS)


def test_the_announcement_has_what_a_newcomer_needs(tmp_path: Path) -> None:
    lines = curl_lines(DEMO, URLS)
    text = announcement(RECORD, lines, Place(tmp_path))
    assert all(line in text.splitlines() for _, line in lines)
    assert f"admin / {RECORD.admin_password}" in text
    assert "make dev-down" in text
    assert all(url in text for url in RECORD.worker_ops_urls)


def test_secrets_are_random_long_and_not_shown() -> None:
    one, other = StackSecrets(), StackSecrets()
    assert one.admin_password != other.admin_password
    assert min(len(new_password()) for _ in range(50)) >= 16
    assert one.admin_password not in repr(one)
