"""Ports and settings of `make dev`."""

import pytest

from qg_core.environment import SettingsInvalid, read_settings
from qg_devstack.plan import PORTS_SPAN, VARIABLES, Plan, read_file


def plan(**environ: str) -> Plan:
    return read_settings(Plan, VARIABLES, environ, read_file)


@pytest.mark.parametrize("data_planes", ["1", "2", "10"])
def test_ports_differ_and_stay_within_the_span(data_planes: str) -> None:
    ports = plan(PORT_BASE="20000", DATA_PLANES=data_planes).ports()
    assert len(ports) == 3 + 2 + 2 * int(data_planes)
    assert all(20_000 <= port < 20_000 + PORTS_SPAN for port in ports)


def test_two_stacks_fit_one_machine() -> None:
    first, second = plan(), plan(PORT_BASE=str(plan().port_base + PORTS_SPAN))
    assert not first.ports().keys() & second.ports().keys()


def test_your_own_servers_take_no_port() -> None:
    own = plan(DEV_POSTGRES_URL="postgresql://a:b@db/", DEV_REDIS_URL="redis://cache/", DEV_ORACLE_HOST="ora")
    assert len(own.ports()) == 6


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        plan(PORT_BASE="80", DATA_PLANES="11", DEV_SCALE="nan")
    assert [line.split(":")[0] for line in caught.value.problems] == ["PORT_BASE", "DATA_PLANES", "DEV_SCALE"]
