"""What a stack leaves in `.dev/`."""

import os
import signal
import stat
from pathlib import Path

import msgspec
import pytest

from qg_devstack.identities import Identity
from qg_devstack.record import (
    OracleAccess,
    Place,
    Processes,
    StackPids,
    StackRecord,
    StackRunning,
    StartedProcess,
)

RECORD = StackRecord(
    control_plane_url="http://127.0.0.1:1",
    control_plane_ops_url="http://127.0.0.1:2",
    data_plane_urls=["http://127.0.0.1:3"],
    data_plane_ops_urls=["http://127.0.0.1:4"],
    worker_ops_urls=["http://127.0.0.1:7", "http://127.0.0.1:8"],
    admin_username="admin",
    admin_password="not-a-real-password",
    oracle=OracleAccess("127.0.0.1", 5, "S", "u", "p"),
    postgres_url="postgresql://",
    redis_url="redis://",
    pids=StackPids(1, 2, 3, 4, [5, 6], [9, 10]),
)


def test_the_stack_file_is_closed_to_others_and_has_the_promised_shape(tmp_path: Path) -> None:
    place = Place(tmp_path / ".dev")
    with place.locked():
        place.write_stack(RECORD)
        path = place.root / "stack.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.root.stat().st_mode) == 0o700
        shape = msgspec.json.decode(path.read_bytes())
    promised = {"control_plane_url", "data_plane_urls", "data_plane_ops_urls", "admin_username", "admin_password"}
    assert promised | {"worker_ops_urls", "oracle", "postgres_url", "redis_url", "pids"} <= shape.keys()
    assert shape["oracle"].keys() == {"host", "port", "service_name", "user", "password"}
    assert shape["pids"].keys() == {"postgres", "redis", "standin", "control_plane", "data_planes", "workers"}
    assert place.read_stack() == RECORD


def test_one_stack_at_a_time(tmp_path: Path) -> None:
    place = Place(tmp_path / ".dev")
    with place.locked(), pytest.raises(StackRunning), Place(tmp_path / ".dev").locked():
        pytest.fail("two stacks hold one place")
    with place.locked():
        pass


def test_what_was_started_is_remembered_until_forgotten(tmp_path: Path) -> None:
    place = Place(tmp_path)
    me = Identity.of(os.getpid())
    processes = Processes(stack=StartedProcess("the stack", me.pid, me.started_ms, signal.SIGTERM))
    place.write_processes(processes)
    assert place.read_processes() == processes
    assert processes.stack.identity.is_running()
    place.forget()
    assert place.read_processes() is None
    assert place.read_stack() is None


def test_a_broken_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "processes.json").write_text("{")
    assert Place(tmp_path).read_processes() is None
