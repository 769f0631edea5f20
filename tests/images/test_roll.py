"""Data planes are replaced, or die, under load, and nobody notices."""

import asyncio
from collections.abc import Callable

import pytest

from tests.images.load import Outcome, Target, load
from tests.images.stack import Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

_PER_SECOND = 200
_SECONDS_MAX = 240.0
_CONNECTIONS = 10
_PATH = "orders/by-customer"
_PUBLIC = "/api/v1/data/items/categories"
_DATA_PLANES = ("data-plane-1", "data-plane-2")


def _make_room(stack: Stack) -> None:
    """Let one data plane carry what two carry: the endpoint's calls at once, and sessions for them.

    With the demo's 5 calls at once per node, half of them would be answered 503 `endpoint_busy` meanwhile, and rightly.
    """
    with stack.admin() as admin:
        endpoint = next(found for found in admin.get("admin/endpoints").json() if found["path"] == _PATH)
        changes = {
            f"admin/endpoints/{endpoint['id']}": {"concurrency_max": 50},
            f"admin/connections/{endpoint['connection_id']}": {"pool_max": _CONNECTIONS},
        }
        for path, fields in changes.items():
            admin.put(path, json=fields).raise_for_status()


async def _under_load(stack: Stack, work: Callable[[], object]) -> Outcome:
    """What callers saw from before `work` began until it was done."""
    _make_room(stack)
    headers = (f"X-Api-Key: {stack.api_key()}",)
    target = Target(stack.data_port, f"/api/v1/data/{_PATH}?customer_id=7", stack.trust(), headers)
    enough = asyncio.Event()
    loading = asyncio.create_task(load(target, _PER_SECOND, _SECONDS_MAX, enough, _CONNECTIONS))
    try:
        await asyncio.to_thread(work)
    finally:
        enough.set()
        outcome = await loading
    print(
        f"\n{sum(outcome.statuses.values())} requests, statuses {dict(outcome.statuses)}, "
        f"p50 {outcome.latency_s(0.5) * 1000:.1f} ms, p99 {outcome.latency_s(0.99) * 1000:.1f} ms, "
        f"longest {outcome.latency_s(1) * 1000:.0f} ms"
    )
    return outcome


def _nothing_failed(outcome: Outcome) -> None:
    assert not outcome.failures, outcome.failures[:10]
    assert not outcome.refusals, outcome.refusals[:10]
    assert set(outcome.statuses) == {200}


async def test_no_request_fails_while_the_data_planes_are_replaced(stack: Stack) -> None:
    before = {service: stack.container(service) for service in _DATA_PLANES}
    outcome = await _under_load(stack, lambda: stack.script("roll"))
    _nothing_failed(outcome)
    assert outcome.statuses[200] > 10 * _PER_SECOND
    assert all(stack.container(service) != container for service, container in before.items())
    # What nginx had to send twice is in its log, and nothing of what callers sent.
    told = stack.logs("nginx")
    assert "customer_id" not in told
    assert stack.api_key() not in told


async def test_no_request_fails_when_a_data_plane_is_killed(stack: Stack) -> None:
    def kill_and_start_again() -> None:
        stack.compose("kill", "--signal", "KILL", "data-plane-2")
        stack.compose("up", "--detach", "--no-deps", "--wait", "data-plane-2")

    _nothing_failed(await _under_load(stack, kill_and_start_again))


def test_callers_are_told_to_come_back_when_no_data_plane_is_there(stack: Stack) -> None:
    stack.compose("stop", *_DATA_PLANES)
    try:
        refused = stack.get(_PUBLIC)
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["code"] == "unavailable"
    finally:
        stack.compose("start", *_DATA_PLANES)
    wait_until(lambda: stack.get(_PUBLIC).status_code == 200, "the data planes serve again", timeout_s=60)
