"""`make dev`: start everything, say what runs where, watch it, and stop it in order."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from qg_core.environment import SettingsInvalid, read_settings
from qg_devstack import backends, demo, gateway
from qg_devstack.admin import Admin
from qg_devstack.announcement import announcement
from qg_devstack.down import clear_leftovers
from qg_devstack.parts import Parts
from qg_devstack.plan import PORT_BASE, PORTS_SPAN, VARIABLES, Plan, read_file
from qg_devstack.progress import Progress
from qg_devstack.record import OracleAccess, Place, StackPids, StackRecord, StackRunning
from qg_devstack.secrets import StackSecrets
from qg_devstack.servers.errors import ServerFailed, UnsafePlace
from qg_devstack.servers.ports import is_free
from qg_devstack.service import Service
from qg_devstack.supervise import StopAsked, ignore_stop, listen_for_stop, watch


def up(place: Place, environ: Mapping[str, str], progress: Progress) -> int:
    """Run a stack until it is asked to stop: status 0 then, 1 when it could not start or all of it ended, 2 when
    a setting is wrong."""
    try:
        plan = read_settings(Plan, VARIABLES, environ, read_file)
    except SettingsInvalid as error:
        progress.show(str(error))
        return 2
    try:
        with place.locked():
            return _up(place, plan, progress)
    except StackRunning:
        running = place.read_stack()
        where = f" at {running.control_plane_url}" if running else ""
        progress.show(f"A stack of this clone is running already{where}: `make dev-down` stops it.")
        return 1


def _up(place: Place, plan: Plan, progress: Progress) -> int:
    clear_leftovers(place, progress.say)
    if taken := _taken_ports(plan):
        progress.show(taken)
        return 1
    for directory in (place.run, place.logs):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
    listen_for_stop()
    parts = Parts(place)
    stack = _Stack(place, plan, progress, parts)
    try:
        stack.start()
        watch(parts, progress)
        progress.say("Every part has ended.")
        status = 1
    except StopAsked as asked:
        progress.show("")
        progress.say(f"{asked}: stopping")
        status = 0
    except (ServerFailed, UnsafePlace) as error:
        progress.say(f"That did not work: {error}")
        status = 1
    finally:
        ignore_stop()
        stack.stop()
        place.forget()
        shutil.rmtree(place.run, ignore_errors=True)
    return status


@dataclass(frozen=True)
class _Services:
    control_plane: Service
    data_planes: list[Service]
    workers: list[Service]


class _Stack:
    """One stack while it starts and stops; each step shows a line."""

    def __init__(self, place: Place, plan: Plan, progress: Progress, parts: Parts) -> None:
        self._place = place
        self._plan = plan
        self._progress = progress
        self._parts = parts
        self._secrets = StackSecrets()
        self._own_database: backends.Database | None = None

    def start(self) -> None:
        """Everything up, the demo made, the announcement shown. Raises ServerFailed."""
        plan, place, say = self._plan, self._place, self._progress.say
        standin = backends.begin_standin(plan, place, self._parts)
        redis_url = backends.start_redis(plan, place, self._parts)
        # Each begins as soon as what it needs is there, and what is needed first has the processor first.
        data_planes = self._begin_data_planes(redis_url)
        database = backends.start_postgres(plan, place, self._parts, self._secrets)
        self._own_database = database if plan.postgres_url else None
        say("Postgres and Redis are ready")
        gateway.migrate(database, place.logs / "migrate.log")
        database.let_in()
        say("The tables are made")
        control_plane = gateway.control_plane(plan, place, self._secrets, database, redis_url)
        self._begin(control_plane)
        if standin is not None:
            standin.wait_ready()
            say(f"The Oracle stand-in is ready, demo schema at scale {plan.scale:g}")
        control_plane.wait_ready()
        say("The control plane is ready")
        services = _Services(control_plane, data_planes, self._begin_workers(database, redis_url))
        oracle = backends.oracle_access(plan, standin)
        record = self._record(database, redis_url, oracle, services)
        self._place.write_stack(record)
        self._make_demo(record, services)

    def stop(self) -> None:
        """In order, the last started first."""
        took_s = self._parts.stop()
        if self._own_database is not None:
            self._own_database.drop()
        self._progress.say(f"Everything is stopped (in {took_s:.1f} s)")

    def _begin_data_planes(self, redis_url: str) -> list[Service]:
        plan, place, secrets = self._plan, self._place, self._secrets
        numbers = range(plan.data_planes)
        return [self._begin(gateway.data_plane(plan, place, secrets, redis_url, number)) for number in numbers]

    def _begin_workers(self, database: backends.Database, redis_url: str) -> list[Service]:
        plan, place, secrets = self._plan, self._place, self._secrets
        numbers = range(plan.workers)
        return [self._begin(gateway.worker(plan, place, secrets, database, redis_url, number)) for number in numbers]

    def _begin(self, service: Service) -> Service:
        service.begin()
        self._parts.add(service)
        return service

    def _make_demo(self, record: StackRecord, services: _Services) -> None:
        with Admin(record.control_plane_url, record.admin_username, record.admin_password) as admin:
            made = demo.create(admin, record.oracle)
        self._progress.say(f"The demo is published as revision {made.revision}, its schedules are run once")
        for service in (*services.workers, *services.data_planes):
            service.wait_ready()
        calls = demo.check(made, record.data_plane_urls)
        self._progress.say(f"Workers and data planes are ready: {calls} demo calls gave rows")
        text = announcement(record, demo.curl_lines(made, record.data_plane_urls), self._place)
        self._progress.show(text)

    def _record(
        self, database: backends.Database, redis_url: str, oracle: OracleAccess, services: _Services
    ) -> StackRecord:
        plan = self._plan
        pids = {part.name: part.pid for part in self._parts.running()}
        ports = [plan.data_plane_port(index) for index in range(plan.data_planes)]
        return StackRecord(
            control_plane_url=gateway.url_of(plan.control_plane_port),
            control_plane_ops_url=gateway.url_of(plan.control_plane_port + 1),
            data_plane_urls=[gateway.url_of(port) for port in ports],
            data_plane_ops_urls=[gateway.url_of(port + 1) for port in ports],
            worker_ops_urls=[gateway.url_of(plan.worker_ops_port(index)) for index in range(plan.workers)],
            admin_username=gateway.ADMIN_USERNAME,
            admin_password=self._secrets.admin_password,
            oracle=oracle,
            postgres_url=database.url,
            redis_url=redis_url,
            pids=StackPids(
                postgres=pids.get("Postgres"),
                redis=pids.get("Redis"),
                standin=pids.get("Oracle stand-in"),
                control_plane=services.control_plane.pid,
                data_planes=[service.pid for service in services.data_planes],
                workers=[service.pid for service in services.workers],
            ),
        )


def _taken_ports(plan: Plan) -> str | None:
    """Why the ports will not do, with a PORT_BASE that would; None when all are free."""
    taken = {port: purpose for port, purpose in plan.ports().items() if not is_free(port)}
    if not taken:
        return None
    lines = [f"Port {port} ({purpose}) is in use." for port, purpose in taken.items()]
    for base in range(PORT_BASE, 65_535 - PORTS_SPAN, 100):
        if all(is_free(base + port - plan.port_base) for port in plan.ports()):
            lines.append(f"This base is free: make dev PORT_BASE={base}")
            break
    return "\n".join(lines)
