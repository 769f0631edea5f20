"""A node opens sessions only where ORACLE_HOSTS_ALLOWED lets it, whatever was published."""

from pathlib import Path

from qg_devstack.hand_published import HandPublished
from tests.integration.data_plane.node_process import NodeProcess, free_ports


def test_a_published_connection_to_another_host_is_not_opened(published: HandPublished, tmp_path: Path) -> None:
    port, ops_port = free_ports(2)
    environ = {**published.environ(str(tmp_path / "state"), port, ops_port), "ORACLE_HOSTS_ALLOWED": "10.0.0.0/8"}
    node = NodeProcess(environ, port, ops_port, tmp_path / "log")
    try:
        node.wait_until_ready()
        answer = node.get("open?n=1")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unreachable")
        assert node.metric("qg_pool_sessions_open") == 0
    finally:
        node.stop()
