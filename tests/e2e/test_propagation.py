"""A saved endpoint answers everywhere at once; a rotated secret is refused everywhere, hint or no hint."""

import statistics
import time
from functools import partial

import pytest
from redis import Redis

from tests.e2e.conftest import Standing
from tests.e2e.fleet import Running, get
from tests.support.waiting import wait_until

_REFUSED_WITHIN_S = 1.0
# On a machine that runs other things too; the figure that the design promises is 100 ms.
_MEDIAN_MAX_S = 0.25


@pytest.fixture(scope="module")
def nodes(standing: Standing) -> list[Running]:
    return [standing.node, standing.fleet.data_plane("node-2")]


def answers(status: int, node: Running, path: str, **headers: str) -> bool:
    return get(node, path, **headers).status_code == status


def test_a_saved_endpoint_answers_on_both_nodes(standing: Standing, nodes: list[Running]) -> None:
    seconds = []
    for index in range(15):
        standing.admin.endpoint(f"saved/{index}", standing.connection)
        saved = time.monotonic()
        for node in nodes:
            wait_until(partial(answers, 200, node, f"saved/{index}?item_id=7"), "it answers")
        seconds.append(time.monotonic() - saved)
    median = statistics.median(seconds)
    print(f"median until both nodes answer: {median * 1000:.1f} ms")
    assert median < _MEDIAN_MAX_S


def test_read_your_writes_with_the_revision_of_the_answer(standing: Standing, nodes: list[Running]) -> None:
    admin = standing.admin
    for index in range(5):
        admin.endpoint(f"mine/{index}", standing.connection)
        for node in nodes:
            answer = get(node, f"mine/{index}?item_id=7", **{"X-QG-Min-Revision": str(admin.revision)})
            assert answer.status_code == 200, answer.text
            assert int(answer.headers["X-QG-Revision"]) >= admin.revision
    ahead = get(nodes[0], "mine/0?item_id=7", **{"X-QG-Min-Revision": str(admin.revision + 5_000)})
    assert (ahead.status_code, ahead.json()["code"]) == (503, "revision_not_reached")


@pytest.mark.parametrize("hints", ["heard", "lost"])
def test_a_rotated_secret_is_refused_within_a_second(standing: Standing, nodes: list[Running], hints: str) -> None:
    admin = standing.admin
    keyed = admin.make("auth/with-key", name=f"keys, {hints}")
    bearer = admin.make("auth", name=f"tokens, {hints}", method_type="bearer")
    token = admin.send("POST", f"auth/{bearer['id']}/issue-token", {"consumer": "me"}).json()["token"]
    admin.endpoint(f"keyed/{hints}", standing.connection, auth_method_id=keyed["id"])
    admin.endpoint(f"tokens/{hints}", standing.connection, auth_method_id=bearer["id"])
    calls = [
        (f"keyed/{hints}", {"X-Api-Key": keyed["api_key"]}),
        (f"tokens/{hints}", {"Authorization": f"Bearer {token}"}),
    ]
    for node in nodes:
        for path, credential in calls:
            answer = get(node, f"{path}?item_id=7", **credential, **{"X-QG-Min-Revision": str(admin.revision)})
            assert answer.status_code == 200, answer.text
    if hints == "lost":
        with Redis.from_url(standing.fleet.redis_url) as redis:
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
        with Redis.from_url(standing.fleet.redis_url) as redis:
            redis.acl_setuser("default", channels=["*"], enabled=True)
