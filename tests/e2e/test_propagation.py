"""A saved endpoint answers everywhere at once; a rotated secret is refused everywhere, hint or no hint."""

import statistics
import time
from functools import partial

import pytest
from redis import Redis

from tests.e2e.fleet import Admin, Fleet, Running, get
from tests.support.waiting import wait_until

_REFUSED_WITHIN_S = 1.0
# On a machine that runs other things too; the figure that the design promises is 100 ms.
_MEDIAN_MAX_S = 0.25


@pytest.fixture
def nodes(fleet: Fleet) -> list[Running]:
    return [fleet.data_plane("node-1", ready=False), fleet.data_plane("node-2", ready=False)]


@pytest.fixture
def admin(fleet: Fleet, nodes: list[Running]) -> Admin:
    signed_in = fleet.admin(fleet.control_plane())
    for node in nodes:
        node.service.wait_ready()
    return signed_in


def answers(status: int, node: Running, path: str, **headers: str) -> bool:
    return get(node, path, **headers).status_code == status


def test_a_saved_endpoint_answers_on_both_nodes(fleet: Fleet, nodes: list[Running], admin: Admin) -> None:
    connection = admin.connection(fleet.oracle)
    seconds = []
    for index in range(15):
        admin.endpoint(f"saved/{index}", connection)
        saved = time.monotonic()
        for node in nodes:
            wait_until(partial(answers, 200, node, f"saved/{index}?item_id=7"), "it answers")
        seconds.append(time.monotonic() - saved)
    median = statistics.median(seconds)
    print(f"median until both nodes answer: {median * 1000:.1f} ms")
    assert median < _MEDIAN_MAX_S


def test_read_your_writes_with_the_revision_of_the_answer(fleet: Fleet, nodes: list[Running], admin: Admin) -> None:
    connection = admin.connection(fleet.oracle)
    for index in range(5):
        admin.endpoint(f"mine/{index}", connection)
        for node in nodes:
            answer = get(node, f"mine/{index}?item_id=7", **{"X-QG-Min-Revision": str(admin.revision)})
            assert answer.status_code == 200, answer.text
            assert int(answer.headers["X-QG-Revision"]) >= admin.revision
    ahead = get(nodes[0], "mine/0?item_id=7", **{"X-QG-Min-Revision": str(admin.revision + 5_000)})
    assert (ahead.status_code, ahead.json()["code"]) == (503, "revision_not_reached")


@pytest.mark.parametrize("hints", ["heard", "lost"])
def test_a_rotated_secret_is_refused_within_a_second(
    fleet: Fleet, nodes: list[Running], admin: Admin, hints: str
) -> None:
    connection = admin.connection(fleet.oracle)
    keyed = admin.make("auth/with-key", name="keys")
    bearer = admin.make("auth", name="tokens", method_type="bearer")
    token = admin.send("POST", f"auth/{bearer['id']}/issue-token", {"consumer": "me"}).json()["token"]
    admin.endpoint("keyed", connection, auth_method_id=keyed["id"])
    admin.endpoint("tokens", connection, auth_method_id=bearer["id"])
    calls = [("keyed", {"X-Api-Key": keyed["api_key"]}), ("tokens", {"Authorization": f"Bearer {token}"})]
    for node in nodes:
        for path, credential in calls:
            answer = get(node, f"{path}?item_id=7", **credential, **{"X-QG-Min-Revision": str(admin.revision)})
            assert answer.status_code == 200, answer.text
    if hints == "lost":
        with Redis.from_url(fleet.redis_url) as redis:
            redis.client_kill_filter(_type="pubsub")
            redis.acl_setuser("default", channels=[], reset_channels=True, enabled=True)
    try:
        for (path, credential), method in zip(calls, (keyed, bearer), strict=True):
            assert admin.send("POST", f"auth/{method['id']}/rotate").status_code == 200
            rotated = time.monotonic()
            for node in nodes:
                wait_until(partial(answers, 401, node, f"{path}?item_id=7", **credential), "it is refused")
            assert time.monotonic() - rotated < _REFUSED_WITHIN_S
    finally:
        with Redis.from_url(fleet.redis_url) as redis:
            redis.acl_setuser("default", channels=["*"], enabled=True)
