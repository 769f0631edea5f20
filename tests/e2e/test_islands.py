"""Data planes with everything else dead: they serve on, start again from disk, and close when they know too little."""

import time

import pytest

from tests.e2e.conftest import Mortal
from tests.e2e.fleet import get
from tests.support import loopback
from tests.support.waiting import wait_until

pytestmark = pytest.mark.fault


def test_nodes_serve_on_and_restart_without_control_plane_postgres_and_redis(mortal: Mortal) -> None:
    fleet = mortal.fleet
    control_plane = fleet.control_plane()
    nodes = {name: fleet.data_plane(name) for name in ("node-1", "node-2")}
    with fleet.admin(control_plane) as admin:
        keyed = admin.make("auth/with-key", name="keys")
        connection = admin.connection(fleet.oracle)
        admin.endpoint("island/keyed", connection, auth_method_id=keyed["id"])
        admin.endpoint("island/public", connection)
        revision = admin.revision
    key = {"X-Api-Key": keyed["api_key"]}
    for node in nodes.values():
        assert get(node, "island/keyed?item_id=7", **key, **{"X-QG-Min-Revision": str(revision)}).status_code == 200

    control_plane.kill()
    mortal.postgres.kill()
    mortal.redis.kill()
    for name, node in nodes.items():
        assert get(node, "island/keyed?item_id=7", **key).json()["meta"]["row_count"] == 1
        node.kill()
        again = fleet.data_plane(name)
        answer = get(again, "island/keyed?item_id=7", **key)
        assert answer.status_code == 200, answer.text
        assert int(answer.headers["X-QG-Revision"]) == revision, "it never goes below what it has seen"
        assert get(again, "island/keyed?item_id=7", **{"X-Api-Key": "qg_wrong"}).status_code == 401
        assert get(again, "island/public?item_id=7").status_code == 200

    # Everything comes back empty-handed but Postgres: the nodes hear of the next revision.
    mortal.postgres.start()
    mortal.redis.start()
    with fleet.admin(fleet.control_plane(name="control-plane-again")) as admin:
        admin.endpoint("island/after", connection)
        assert admin.revision > revision
    wait_until(lambda: get(again, "island/after?item_id=7").status_code == 200, "the node follows again", 20)


def test_past_the_staleness_limit_protected_endpoints_close_and_public_ones_serve(mortal: Mortal) -> None:
    fleet = mortal.fleet
    control_plane = fleet.control_plane()
    node = fleet.data_plane("node-1", STALENESS_MAX_S="10")
    with fleet.admin(control_plane) as admin:
        keyed = admin.make("auth/with-key", name="keys")
        connection = admin.connection(fleet.oracle)
        admin.endpoint("stale/keyed", connection, auth_method_id=keyed["id"])
        admin.endpoint("stale/public", connection)
        revision = str(admin.revision)
    key = {"X-Api-Key": keyed["api_key"]}
    assert get(node, "stale/keyed?item_id=7", **key, **{"X-QG-Min-Revision": revision}).status_code == 200
    control_plane.kill()
    killed = time.monotonic()
    wait_until(lambda: get(node, "stale/keyed?item_id=7", **key).status_code == 503, "protected endpoints close", 20)
    assert time.monotonic() - killed > 2, "not before the limit"
    assert get(node, "stale/keyed?item_id=7", **key).json()["code"] == "catalog_stale"
    assert get(node, "stale/public?item_id=7").status_code == 200

    node.kill()
    again = fleet.data_plane("node-1", ready=False, STALENESS_MAX_S="10")
    wait_until(lambda: _answers(again.url), "the node listens again")
    wait_until(lambda: get(again, "stale/public?item_id=7").status_code == 200, "public endpoints serve")
    assert get(again, "stale/keyed?item_id=7", **key).status_code == 503, "a restart makes nothing younger"

    fleet.control_plane(name="control-plane-again")
    wait_until(lambda: get(again, "stale/keyed?item_id=7", **key).status_code == 200, "a new beacon opens them", 15)


def _answers(url: str) -> bool:
    return loopback.status_of(url) is not None
