"""Clusters whose rows nobody keeps lie in memory where there is room, and go with their server."""

from pathlib import Path

import pytest

from qg_devstack.servers import PostgresOptions, PostgresServer, memory_place


def test_a_cluster_in_memory_is_removed_with_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = memory_place.memory_place()
    if room is None:
        pytest.skip("no room in memory here")
    server = PostgresServer(tmp_path)
    assert server.cluster.is_relative_to(room)
    assert oct(server.cluster.stat().st_mode)[-3:] == "700"
    server.remove()
    assert not server.cluster.parent.exists()
    assert tmp_path.exists()
    monkeypatch.setattr(memory_place, "_FREE_BYTES_MIN", 2**62)
    assert memory_place.memory_place() is None
    elsewhere = PostgresServer(tmp_path)
    assert not elsewhere.cluster.is_relative_to(room)
    elsewhere.remove()


def test_rows_that_are_kept_do_not_lie_in_memory(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path, options=PostgresOptions(fsync=True))
    assert not server.cluster.is_relative_to("/dev/shm")
    server.remove()
