"""Ports and settings of `make dev`."""

import pytest

from qg_core.environment import SettingsInvalid, read_settings
from qg_devstack.plan import PORTS_SPAN, VARIABLES, Plan, read_file


def plan(**environ: str) -> Plan:
    return read_settings(Plan, VARIABLES, environ, read_file)


@pytest.mark.parametrize("count", ["1", "2", "10"])
def test_ports_differ_and_stay_within_the_span(count: str) -> None:
    ports = plan(PORT_BASE="20000", DATA_PLANES=count, WORKERS=count).ports()
    assert len(ports) == 3 + 2 + 3 * int(count)
    assert all(20_000 <= port < 20_000 + PORTS_SPAN for port in ports)


def test_two_stacks_fit_one_machine() -> None:
    first, second = plan(), plan(PORT_BASE=str(plan().port_base + PORTS_SPAN))
    assert not first.ports().keys() & second.ports().keys()


def test_your_own_servers_take_no_port() -> None:
    own = plan(DEV_POSTGRES_URL="postgresql://a:b@db/", DEV_REDIS_URL="redis://cache/", DEV_ORACLE_HOST="ora")
    assert len(own.ports()) == 8


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        plan(PORT_BASE="80", DATA_PLANES="11", WORKERS="0", DEV_SCALE="nan")
    named = [line.split(":")[0] for line in caught.value.problems]
    assert named == ["PORT_BASE", "DATA_PLANES", "WORKERS", "DEV_SCALE"]
