"""What one dev stack is to be: its ports, how many data planes and workers, and which servers are your own."""

from pathlib import Path

import msgspec

from qg_core.environment import Variable, integer, number, text

PORT_BASE = 8400
PORTS_SPAN = 60
_DATA_PLANES_MAX = 10
_WORKERS_MAX = 10
_FIRST_DATA_PLANE, _FIRST_WORKER = 10, 30
_STANDIN, _POSTGRES, _REDIS = 40, 41, 42


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of `make dev`. Ports follow from `port_base`, so two stacks fit one machine."""

    port_base: int
    data_planes: int
    workers: int
    scale: float
    postgres_url: str | None
    redis_url: str | None
    oracle_host: str | None
    oracle_port: int
    oracle_service: str
    oracle_user: str
    oracle_password: str | None

    @property
    def control_plane_port(self) -> int:
        """Where admins call; its ops port is the next one."""
        return self.port_base

    def data_plane_port(self, number: int) -> int:
        """Where consumers call data plane `number` (from 0); its ops port is the next one."""
        return self.port_base + _FIRST_DATA_PLANE + 2 * number

    def worker_ops_port(self, number: int) -> int:
        """The ops port of worker `number` (from 0), which has no other."""
        return self.port_base + _FIRST_WORKER + number

    @property
    def standin_port(self) -> int:
        """The Oracle stand-in."""
        return self.port_base + _STANDIN

    @property
    def postgres_port(self) -> int:
        """The embedded Postgres."""
        return self.port_base + _POSTGRES

    @property
    def redis_port(self) -> int:
        """The embedded Redis."""
        return self.port_base + _REDIS

    def ports(self) -> dict[int, str]:
        """Every port this stack binds, and what for."""
        wanted = {self.control_plane_port: "control plane", self.control_plane_port + 1: "control plane, ops"}
        for index in range(self.data_planes):
            wanted[self.data_plane_port(index)] = f"data plane {index + 1}"
            wanted[self.data_plane_port(index) + 1] = f"data plane {index + 1}, ops"
        for index in range(self.workers):
            wanted[self.worker_ops_port(index)] = f"worker {index + 1}, ops"
        if self.oracle_host is None:
            wanted[self.standin_port] = "Oracle stand-in"
        if self.postgres_url is None:
            wanted[self.postgres_port] = "Postgres"
        if self.redis_url is None:
            wanted[self.redis_port] = "Redis"
        return wanted


def _optional(value: str) -> str | None:
    return value or None


VARIABLES = (
    Variable(
        name="PORT_BASE",
        field="port_base",
        parse=integer(1024, 65_535 - PORTS_SPAN),
        default=str(PORT_BASE),
        description=f"the first of {PORTS_SPAN} ports",
    ),
    Variable(
        name="DATA_PLANES",
        field="data_planes",
        parse=integer(1, _DATA_PLANES_MAX),
        default="2",
        description="how many data planes",
    ),
    Variable(
        name="WORKERS",
        field="workers",
        parse=integer(1, _WORKERS_MAX),
        default="2",
        description="how many workers",
    ),
    Variable(
        name="DEV_SCALE",
        field="scale",
        parse=number(0.001, 50),
        default="1",
        description="how many rows the stand-in's demo schema holds, relative to its full size",
    ),
    Variable(
        name="DEV_POSTGRES_URL",
        field="postgres_url",
        parse=_optional,
        default="",
        secret=True,
        description="your own Postgres, as a superuser; a database is made there and dropped at the end",
    ),
    Variable(
        name="DEV_REDIS_URL",
        field="redis_url",
        parse=_optional,
        default="",
        secret=True,
        description="your own Redis; every key that begins with qg: is deleted there at the start",
    ),
    Variable(
        name="DEV_ORACLE_HOST",
        field="oracle_host",
        parse=_optional,
        default="",
        description="your own Oracle database, which must hold the demo schema, instead of the stand-in",
    ),
    Variable(
        name="DEV_ORACLE_PORT",
        field="oracle_port",
        parse=integer(1, 65_535),
        default="1521",
        description="its port",
    ),
    Variable(
        name="DEV_ORACLE_SERVICE",
        field="oracle_service",
        parse=text,
        default="FREEPDB1",
        description="its service name",
    ),
    Variable(name="DEV_ORACLE_USER", field="oracle_user", parse=text, default="qg_reader", description="the user"),
    Variable(
        name="DEV_ORACLE_PASSWORD",
        field="oracle_password",
        parse=_optional,
        default="",
        secret=True,
        description="the user's password",
    ),
)


def read_file(name: str) -> str:
    """The text of a file that `X_FILE` names."""
    return Path(name).read_text()
