"""All four keys are rotated on a running gateway under load, by the operator's steps; then the old ones are useless.

The steps are those of docs/key_rotation.md: readers, writers, `keys rotate`, removal, with a roll after each.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from control_plane.rotation.command import EXIT_DONE, EXIT_KEYS_NEEDED
from qg_devstack.secrets import StackSecrets
from qg_devstack.service import querygateway, service_environment
from qg_security.sealing import SealBroken, Sealer
from tests.e2e import truth
from tests.e2e.fleet import Admin, Fleet, Running, get
from tests.e2e.front import Front
from tests.e2e.load import Ask, Load
from tests.fixtures.store import StoreUrls
from tests.integration.publishing.rig import Keys
from tests.integration.rotation.leftovers import opened_by, opens, sealed_at_rest, under
from tests.support import loopback
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

PER_SECOND = 150
PER_SECOND_MIN = 100
NOWHERE = "redis://127.0.0.1:1/0"
NODES = ("node-1", "node-2")


def keys_of(secrets: StackSecrets) -> Keys:
    signing, verify = secrets.signing_pair
    return Keys(signing, verify, secrets.encryption_key, secrets.seal_key)


class Operator:
    """Rolls services one after the other, each drained before it is stopped."""

    def __init__(self, fleet: Fleet, front: Front, old: StackSecrets, new: StackSecrets) -> None:
        self.fleet = fleet
        self.front = front
        self.old, self.new = old, new
        self.nodes: dict[str, Running] = {}
        self.others: dict[str, Running] = {}
        self.settings: dict[str, str] = {}

    def start(self) -> None:
        """Everything under the old keys."""
        self._choose(front=self.old, behind=None, signs=self.old)
        for name in NODES:
            self.nodes[name] = self.fleet.data_plane(name, ready=False)
        self._start_others()
        for name, node in self.nodes.items():
            node.service.wait_ready()
            self.front.put(name, node)
            wait_until(lambda name=name: self.front.hands_to(name), "the front has seen it")  # type: ignore[misc]  # bound at once

    def readers(self) -> None:
        """Step 1: everybody knows the new keys."""
        self._choose(front=self.old, behind=self.new, signs=self.old)
        self._roll()

    def writers(self) -> None:
        """Step 2: everybody writes under the new keys."""
        self._choose(front=self.new, behind=self.old, signs=self.new)
        self._roll()

    def removal(self) -> None:
        """Step 4: nobody knows the old keys."""
        self._choose(front=self.new, behind=None, signs=self.new)
        self._roll()

    def rotate(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Step 3: `querygateway keys rotate` with the control plane's settings."""
        environ = service_environment() | {
            "APP_ENV": "development",
            "GATEWAY_ID": self.fleet.gateway_id,
            "DATABASE_URL": self.fleet.app_url,
            "REDIS_URL": self.fleet.redis_url,
            "ADMIN_USERNAME": "admin",
            "ADMIN_PASSWORD_HASH": "$2b$12$" + "a" * 53,
            **self.settings,
        }
        command = [*querygateway(), "keys", "rotate", *options]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)

    def serving_settings(self) -> dict[str, str]:
        """What data planes and workers get of it."""
        return {name: self.settings[name] for name in ("BUNDLE_SEAL_KEY", "BUNDLE_VERIFY_KEYS")}

    def _choose(self, *, front: StackSecrets, behind: StackSecrets | None, signs: StackSecrets) -> None:
        each = [front] if behind is None else [front, behind]
        self.settings = {
            "ENCRYPTION_KEY": ",".join(secrets.encryption_key for secrets in each),
            "BUNDLE_SEAL_KEY": ",".join(secrets.seal_key for secrets in each),
            "BUNDLE_VERIFY_KEYS": ",".join(secrets.signing_pair[1] for secrets in each),
            "BUNDLE_SIGNING_KEY": signs.signing_pair[0],
            "JWT_SECRET_KEY": ",".join(secrets.jwt_secret_key for secrets in each),
        }

    def _roll(self) -> None:
        for service in self.others.values():
            service.service.ask_to_stop()
        for service in self.others.values():
            service.service.stop()
        self._start_others(ready=False)
        for name in NODES:
            self._replace(name)
        for service in self.others.values():
            service.service.wait_ready()

    def _replace(self, name: str) -> None:
        """One data plane: not ready, no connection left, stopped, and started with the same `STATE_DIR`."""
        node = self.nodes[name]
        os.kill(node.service.pid, signal.SIGUSR1)
        wait_until(lambda: not self.front.hands_to(name), "the front hands nothing more to it")
        wait_until(lambda: self.front.connections_to(name) == 0, "its callers have gone elsewhere")
        node.service.stop()
        self.nodes[name] = again = self.fleet.data_plane(name, ready=True, **self.serving_settings())
        self.front.put(name, again)
        wait_until(lambda: self.front.hands_to(name), "the front has seen it")

    def _start_others(self, *, ready: bool = True) -> None:
        self.others = {
            "control-plane": self.fleet.control_plane(ready=False, **self.settings),
            "worker-1": self.fleet.worker("worker-1", ready=False, **self.serving_settings()),
        }
        if ready:
            for service in self.others.values():
                service.service.wait_ready()


@dataclass(frozen=True)
class Consumers:
    """What consumers hold, made under the old keys."""

    asks: list[Ask]
    key: str


def make_consumers(admin: Admin, fleet: Fleet) -> Consumers:
    """Endpoints of each kind: an API key, a bearer token, public, and from a snapshot."""
    # Room for all callers at once, also while only one data plane is there.
    connection = admin.connection(fleet.oracle, pool_max=20)
    room = {"concurrency_max": 50}
    keyed = admin.make("auth/with-key", name="keys")
    bearer = admin.make("auth", name="bearer", method_type="bearer")
    token = admin.make(f"auth/{bearer['id']}/issue-token")["token"]
    admin.endpoint("keyed", connection, auth_method_id=keyed["id"], **room)
    admin.endpoint("bearer", connection, auth_method_id=bearer["id"], **room)
    admin.endpoint("public", connection, **room)
    stored = admin.endpoint(
        "stored", connection, sql_text="select item_id from items", param_schema={}, data_strategy="snapshot"
    )
    schedule = admin.make("schedules", endpoint_id=stored["id"], schedule_type="interval", interval_seconds=86_400)
    admin.make(f"schedules/{schedule['id']}/run")
    path = "/api/v1/data/"
    return Consumers(
        [
            Ask(f"{path}keyed?item_id=7", (f"X-Api-Key: {keyed['api_key']}",)),
            Ask(f"{path}bearer?item_id=7", (f"Authorization: Bearer {token}",)),
            Ask(f"{path}public?item_id=7"),
            Ask(f"{path}stored"),
        ],
        keyed["api_key"],
    )


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as found:
        yield found


async def test_all_four_keys_under_load(fleet: Fleet, front: Front, store_urls: StoreUrls, tmp_path: Path) -> None:
    old, new = fleet.secrets, StackSecrets()
    operator = Operator(fleet, front, old, new)
    operator.start()
    with fleet.admin(operator.others["control-plane"]) as admin:
        consumers = make_consumers(admin, fleet)
        token = admin.client.headers["Authorization"]
        for node in operator.nodes.values():
            for ask in consumers.asks:
                wait_until(lambda ask=ask, node=node: status_of(node, ask) == 200, f"{ask.target} answers", 20)  # type: ignore[misc]  # bound at once
    dump = await sealed_at_rest(store_urls.superuser)

    began = time.monotonic()
    with Load(front, consumers.asks, PER_SECOND) as load:
        operator.readers()
        operator.writers()
        assert admin_status(operator, token) == 200, "admins who were signed in still are"
        checked = operator.rotate("--check")
        assert checked.returncode == EXIT_KEYS_NEEDED, checked.stdout + checked.stderr
        ran = operator.rotate()
        assert ran.returncode == EXIT_DONE, ran.stdout + ran.stderr
        checked = operator.rotate("--check")
        assert checked.returncode == EXIT_DONE, checked.stdout + checked.stderr
        operator.removal()
        assert admin_status(operator, token) == 401, "the key that signed it is gone"
    print(f"{load.answered} requests in {load.seconds:.1f} s ({load.pace:.0f}/s), {time.monotonic() - began:.1f} s")
    assert load.failures == [], "\n".join(load.failures)
    assert load.pace >= PER_SECOND_MIN

    # What was copied before is useless with the new keys, and what lies here now with the old ones.
    assert opened_by(new.encryption_key, dump) == set()
    with pytest.raises(SealBroken):
        Sealer([new.encryption_key]).seal_again(*next(iter(dump.items())))
    now = await sealed_at_rest(store_urls.superuser)
    assert set(now) == set(dump)
    assert all(opens(new.encryption_key, row, sealed) for row, sealed in now.items())
    redis: Redis = Redis.from_url(fleet.redis_url)
    try:
        assert await under(keys_of(old), store_urls.superuser, redis, fleet.gateway_id) == []
    finally:
        await redis.aclose()

    # With the new keys alone: from Redis without memory, and from disk without Redis.
    fresh = fleet.data_plane("fresh", ready=True, **operator.serving_settings())
    operator.nodes["node-1"].service.stop()
    island = fleet.data_plane("node-1", ready=True, REDIS_URL=NOWHERE, **operator.serving_settings())
    for node in (fresh, island):
        for ask in consumers.asks:
            wait_until(lambda ask=ask, node=node: status_of(node, ask) == 200, f"{ask.target} of a new start", 20)  # type: ignore[misc]  # bound at once
    assert get(fresh, "keyed?item_id=7", **{"X-Api-Key": consumers.key[:-1] + "g"}).status_code == 401
    assert truth.one(fleet.app_url, "SELECT coalesce(sum(lost), 0) FROM access_sources") == 0, (
        "no access event was lost"
    )
    assert truth.one(fleet.app_url, "SELECT count(*) FROM audit_log WHERE action = 'rotate_keys'") >= 6
    shown = ran.stdout + ran.stderr + checked.stdout
    for secrets in (old, new):
        for value in (secrets.encryption_key, secrets.seal_key, secrets.jwt_secret_key, *secrets.signing_pair):
            assert value not in shown


def status_of(node: Running, ask: Ask) -> int:
    """The status of one request, asked of this data plane."""
    headers = dict(line.split(": ", 1) for line in ask.headers)
    return loopback.get(f"{node.url}{ask.target}", headers).status_code


def admin_status(operator: Operator, token: str) -> int:
    """What an admin with this token gets."""
    url = operator.others["control-plane"].url
    answer = loopback.get(f"{url}/api/v1/admin/nodes", {"Authorization": token})
    return answer.status_code
