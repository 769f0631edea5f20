"""Create the demo through the admin API, and the `curl` lines that call it."""

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import httpx
import msgspec

from qg_devstack.admin import Admin
from qg_devstack.demo_endpoints import API_KEY, BASIC, BEARER, ENDPOINTS, PUBLIC, CronIn, DemoEndpoint, EverySeconds
from qg_devstack.record import OracleAccess
from qg_devstack.secrets import new_password
from qg_devstack.servers.errors import ServerFailed

_CONSUMER = "demo"
_BASIC_USER = "demo"
_CALL_TIMEOUT_S = 30.0
_SNAPSHOT_TIMEOUT_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True)
class DemoAccess:
    """What a consumer of the demo sends: one credential per kind of auth."""

    bearer_token: str
    basic_password: str
    api_key: str

    def curl_options(self, access: str) -> tuple[str, ...]:
        """The options of `curl` that sign a request in."""
        return {
            BEARER: ("-H", f"Authorization: Bearer {self.bearer_token}"),
            BASIC: ("-u", f"{_BASIC_USER}:{self.basic_password}"),
            API_KEY: ("-H", f"X-Api-Key: {self.api_key}"),
            PUBLIC: (),
        }[access]


@dataclass(frozen=True)
class Demo:
    """What was made: credentials, and the revision that serves all of it."""

    access: DemoAccess
    revision: int


def create(admin: Admin, oracle: OracleAccess) -> Demo:
    """Make the connection, three auth methods, the endpoints, and the schedules, each run once. Raises ServerFailed."""
    connection = admin.make(
        "connections",
        {
            "name": "demo",
            "description": "The supply-chain demo schema.",
            "host": oracle.host,
            "port": oracle.port,
            "service_name": oracle.service_name,
            "username": oracle.user,
            "password": oracle.password,
        },
    )
    basic_password = new_password()
    bearer = admin.make("auth", {"name": "demo tokens", "method_type": "bearer", "expire_minutes": 7 * 24 * 60})
    basic_fields = {"method_type": "basic", "username": _BASIC_USER, "password": basic_password}
    basic = admin.make("auth", {"name": "demo passwords", **basic_fields})
    keys = admin.make("auth/with-key", {"name": "demo keys"})
    if keys.api_key is None:
        raise ServerFailed("the control plane made an API key method without a key")
    methods = {BEARER: bearer.id, BASIC: basic.id, API_KEY: keys.id}
    for endpoint in ENDPOINTS:
        made = admin.make("endpoints", _fields(endpoint, connection.id, methods))
        if made.warnings:
            raise ServerFailed(f"the database refused the statement of {endpoint.path}: {made.warnings}")
        if endpoint.schedule is not None:
            schedule = admin.make("schedules", {"endpoint_id": made.id, **_timing(endpoint.schedule)})
            # Not waiting for its time: a newcomer wants rows.
            admin.queue_run(schedule.id)
    access = DemoAccess(admin.issue_token(bearer.id, _CONSUMER), basic_password, keys.api_key)
    return Demo(access, admin.revision)


def curl_lines(demo: Demo, data_plane_urls: Sequence[str]) -> list[tuple[DemoEndpoint, str]]:
    """One line to paste per endpoint, in turn for each data plane."""
    lines = []
    for endpoint, url in zip(ENDPOINTS, cycle(data_plane_urls), strict=False):
        arguments = ["curl", "-sS", *demo.access.curl_options(endpoint.access), _url(url, endpoint)]
        lines.append((endpoint, shlex.join(arguments)))
    return lines


def check(demo: Demo, data_plane_urls: Sequence[str]) -> int:
    """Call every endpoint on every data plane; returns how many calls gave rows. Raises ServerFailed for others.

    Endpoints with a schedule are called until their first snapshot is there.
    """
    calls = 0
    with httpx.Client(timeout=_CALL_TIMEOUT_S, trust_env=False) as client:
        for url in data_plane_urls:
            for endpoint in ENDPOINTS:
                _call(client, demo, url, endpoint)
                calls += 1
    return calls


class _Meta(msgspec.Struct, frozen=True):
    row_count: int


class _Answer(msgspec.Struct, frozen=True):
    meta: _Meta


def _call(client: httpx.Client, demo: Demo, url: str, endpoint: DemoEndpoint) -> None:
    answer = _answer(client, demo, url, endpoint)
    deadline = time.monotonic() + (_SNAPSHOT_TIMEOUT_S if endpoint.schedule else 0)
    while answer.status_code == 503 and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        answer = _answer(client, demo, url, endpoint)
    if answer.status_code != 200:
        raise ServerFailed(f"{url} answered {endpoint.path} with {answer.status_code} {answer.text}")
    if not msgspec.json.decode(answer.content, type=_Answer).meta.row_count:
        raise ServerFailed(f"{url} answered {endpoint.path} without a row: is the demo schema there?")


def _answer(client: httpx.Client, demo: Demo, url: str, endpoint: DemoEndpoint) -> httpx.Response:
    headers = {"X-QG-Min-Revision": str(demo.revision)} | _headers(demo.access, endpoint.access)
    basic = httpx.BasicAuth(_BASIC_USER, demo.access.basic_password) if endpoint.access == BASIC else None
    try:
        return client.get(_url(url, endpoint), headers=headers, auth=basic)
    except httpx.HTTPError as error:
        raise ServerFailed(f"{url} did not answer {endpoint.path}: {error}") from error


def _headers(access: DemoAccess, kind: str) -> dict[str, str]:
    if kind == BEARER:
        return {"Authorization": f"Bearer {access.bearer_token}"}
    return {"X-Api-Key": access.api_key} if kind == API_KEY else {}


def _url(data_plane_url: str, endpoint: DemoEndpoint) -> str:
    query = f"?{endpoint.sample_query}" if endpoint.sample_query else ""
    return f"{data_plane_url}/api/v1/data/{endpoint.path}{query}"


def _fields(endpoint: DemoEndpoint, connection_id: str, methods: Mapping[str, str]) -> dict[str, object]:
    guarded: dict[str, object] = {"auth_method_id": methods.get(endpoint.access)}
    return {
        "name": endpoint.name,
        "path": endpoint.path,
        "description": endpoint.description,
        "connection_id": connection_id,
        "sql_text": endpoint.sql_text,
        "param_schema": endpoint.param_schema,
        "rows_max": endpoint.rows_max,
        "data_strategy": "snapshot" if endpoint.schedule else "live",
        **({"allow_unauthenticated": True} if endpoint.access == PUBLIC else guarded),
    }


def _timing(schedule: EverySeconds | CronIn) -> dict[str, object]:
    if isinstance(schedule, EverySeconds):
        return {"schedule_type": "interval", "interval_seconds": schedule.seconds}
    return {"schedule_type": "cron", "cron_expression": schedule.expression, "timezone": schedule.timezone}
