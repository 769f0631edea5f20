"""A release without a cluster: the chart's own output, run as processes on embedded Postgres and Redis.

The SQL of the README, the migration's Job, the three services with nothing but their rendered environment, the probes,
the pod of `helm test`, and at the end `preStop` and SIGTERM as the kubelet would send them. What it can't show is
Kubernetes itself: hooks in order, Services, policies, security contexts.
"""

import asyncio
import re
import secrets
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import asyncpg

from helm.checks.chart_values import laid_over
from helm.checks.manifests import Manifest, component
from helm.checks.places import README, value_set
from helm.checks.rehearsed_pod import TOOLS, RehearsalFailed, RehearsedPod, status_at
from helm.checks.render import render
from helm.checks.trial import trial_values
from helm.checks.value_sets import Outcome
from qg_devstack.servers import PostgresAddress, PostgresServer, RedisServer
from qg_devstack.servers.errors import ServerFailed

MIGRATION_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 60.0
DRAIN_SECONDS = 2
SERVICES = ("control-plane", "data-plane", "worker")
_SQL = re.compile(r"^```sql\n(.*?)^```", re.DOTALL | re.MULTILINE)


def rehearsal() -> Outcome:
    """Install, test and stop a release."""
    looked_at = "a release as processes: SQL, migration, 3 services, probes, helm test, drain and stop"
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        postgres, redis = PostgresServer(_made(place / "postgres")), RedisServer(_made(place / "redis"))
        try:
            postgres.start()
            redis.start()
            passwords = {f"gateway_{user}": secrets.token_urlsafe(24) for user in ("migrate", "control", "worker")}
            asyncio.run(_prepare(postgres.address, passwords))
            values = _values(postgres.address, passwords, redis.address.url())
            _release(render([value_set("minimal")], over=values), _made(place / "pods"))
        except (RehearsalFailed, ServerFailed) as error:
            return looked_at, [str(error)]
        finally:
            redis.stop()
            postgres.remove()
    return looked_at, []


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o700)
    return directory


async def _prepare(address: PostgresAddress, passwords: dict[str, str]) -> None:
    """What the README asks the database administrator for, with these passwords."""
    [sql] = _SQL.findall(README.read_text(encoding="utf-8"))
    connection = await asyncpg.connect(address.url())
    try:
        for statement in filter(str.strip, sql.split(";")):
            user = re.search(r"CREATE USER (\w+)", statement)
            await connection.execute(statement.replace("...", passwords[user[1]]) if user else statement)
    finally:
        await connection.close()


def _values(postgres: PostgresAddress, passwords: dict[str, str], redis_url: str) -> dict[str, Any]:
    """A trial's values, pointed at these servers."""

    def database(user: str) -> str:
        return f"postgresql://{user}:{passwords[user]}@{postgres.host}:{postgres.port}/querygateway"

    places: dict[str, dict[str, str]] = {
        "controlPlane": {"DATABASE_URL": database("gateway_control"), "REDIS_URL": redis_url},
        "dataPlane": {"REDIS_URL": redis_url},
        "worker": {"DATABASE_URL": database("gateway_worker"), "REDIS_URL": redis_url},
        "migration": {"MIGRATION_DATABASE_URL": database("gateway_migrate")},
    }
    drains = {"controlPlane": {"drainSeconds": DRAIN_SECONDS}, "dataPlane": {"drainSeconds": DRAIN_SECONDS}}
    pointed = {service: {"secrets": {"values": urls}} for service, urls in places.items()}
    return laid_over(laid_over(trial_values(), pointed), drains)


def _release(manifests: list[Manifest], place: Path) -> None:
    workloads = {
        component(item): item for item in manifests if item["kind"] in {"Job", "Deployment", "StatefulSet", "Pod"}
    }
    pods = {name: RehearsedPod(manifests, workloads[name], place) for name in ("migration", *SERVICES)}
    try:
        pods["migration"].start()
        pods["migration"].wait_for_end(MIGRATION_TIMEOUT_S)
        for name in SERVICES:
            pods[name].start()
        for name in SERVICES:
            pods[name].wait_for("startupProbe", READY_TIMEOUT_S)
            pods[name].wait_for("readinessProbe", READY_TIMEOUT_S)
            pods[name].wait_for("livenessProbe", READY_TIMEOUT_S)
        _helm_test(workloads["test"], pods)
        for name in ("data-plane", "control-plane"):
            _drain(pods[name])
        for name in SERVICES:
            pods[name].stop()
    finally:
        for pod in pods.values():
            pod.kill()


def _helm_test(test: Manifest, pods: dict[str, RehearsedPod]) -> None:
    """The test pod's command, its URLs led from Services to processes."""
    container = test["spec"]["containers"][0]
    arguments = []
    for argument in container["args"]:
        service = re.fullmatch(r"http://.*?-(control-plane|data-plane|worker)(-ops)?:\d+(/.*)", argument)
        if service:
            port = pods[service[1]].ports["OPS_PORT" if service[2] else "PORT"]
            argument = f"http://127.0.0.1:{port}{service[3]}"
        arguments.append(argument)
    command = [str(TOOLS / container["command"][0]), *container["command"][1:], *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=READY_TIMEOUT_S, check=False)  # noqa: S603
    if done.returncode != 0:
        raise RehearsalFailed(f"helm test: {done.stdout}{done.stderr}")


def _drain(pod: RehearsedPod) -> None:
    """While the hook runs the pod is not ready and goes on serving; the hook itself ends well."""
    hook = pod.start_pre_stop()
    try:
        pod.wait_for("readinessProbe", READY_TIMEOUT_S, status=503)
        if hook.poll() is not None:
            raise RehearsalFailed(f"{pod.name}: preStop was over before the pod was seen not ready")
        if status_at(pod.ports["PORT"], "/api/v1/data/") not in {401, 404}:
            raise RehearsalFailed(f"{pod.name}: does not serve on while it drains")
        if hook.wait(DRAIN_SECONDS + READY_TIMEOUT_S) != 0:
            raise RehearsalFailed(f"{pod.name}: preStop ended with status {hook.returncode}")
    finally:
        if hook.poll() is None:
            hook.kill()
            hook.wait()
