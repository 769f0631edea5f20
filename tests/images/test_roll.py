"""deploy/roll replaces both data planes under load, and nobody notices."""

import asyncio

import pytest

from tests.images.load import Target, load
from tests.images.stack import Stack

pytestmark = pytest.mark.long

_PER_SECOND = 200
_SECONDS_MAX = 240.0
_CONNECTIONS = 10
_PATH = "orders/by-customer"


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


async def test_no_request_fails_while_the_data_planes_are_replaced(stack: Stack) -> None:
    before = {service: stack.container(service) for service in ("data-plane-1", "data-plane-2")}
    _make_room(stack)
    headers = (f"X-Api-Key: {stack.api_key()}",)
    target = Target(stack.data_port, f"/api/v1/data/{_PATH}?customer_id=7", stack.trust(), headers)
    enough = asyncio.Event()
    loading = asyncio.create_task(load(target, _PER_SECOND, _SECONDS_MAX, enough, _CONNECTIONS))
    try:
        told = await asyncio.to_thread(stack.script, "roll")
    finally:
        enough.set()
        outcome = await loading
    assert told.splitlines()[-1] == "data-plane-2 is replaced"
    assert all(stack.container(service) != container for service, container in before.items())
    asked = sum(outcome.statuses.values())
    print(
        f"\n{asked} requests during the replacement, statuses {dict(outcome.statuses)}, "
        f"p50 {outcome.latency_s(0.5) * 1000:.1f} ms, p99 {outcome.latency_s(0.99) * 1000:.1f} ms, "
        f"longest {outcome.latency_s(1) * 1000:.0f} ms"
    )
    assert not outcome.failures, outcome.failures[:10]
    assert not outcome.refusals, outcome.refusals[:10]
    assert set(outcome.statuses) == {200}
    assert asked > 10 * _PER_SECOND
    # What nginx had to send twice is in its log, and nothing of what callers sent.
    told = stack.logs("nginx")
    assert "customer_id" not in told
    assert stack.api_key() not in told
