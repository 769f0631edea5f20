"""The servers under the gateway: embedded ones, or your own; made ready for one stack."""

from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from qg_devstack.databases import address_from, create_database, create_login, drop_database, drop_login
from qg_devstack.parts import Parts
from qg_devstack.plan import Plan
from qg_devstack.record import OracleAccess, Place
from qg_devstack.secrets import StackSecrets
from qg_devstack.servers import (
    PostgresAddress,
    PostgresOptions,
    PostgresServer,
    RedisServer,
    StandinOptions,
    StandinServer,
)
from qg_devstack.servers.errors import ServerFailed

_APP_GROUP, _WORKER_GROUP = "qg_app", "qg_worker"
_OUR_KEYS = "qg:*"
_KEYS_PER_ROUND = 1_000


@dataclass(frozen=True, repr=False)
class DatabaseUser:
    """Who signs in to the stack's database. Has no repr, for the password."""

    name: str
    password: str


@dataclass(frozen=True)
class Database:
    """The stack's database: `url` as the superuser, `app_url` and `worker_url` as the services' own users."""

    address: PostgresAddress
    name: str
    app: DatabaseUser
    worker: DatabaseUser

    @property
    def url(self) -> str:
        """Full rights."""
        return self.address.url(self.name)

    @property
    def app_url(self) -> str:
        """The rights of `qg_app`; works after the migrations, which make that group, and `let_in`."""
        return self._url_as(self.app)

    @property
    def worker_url(self) -> str:
        """The rights of `qg_worker`; likewise."""
        return self._url_as(self.worker)

    def let_in(self) -> None:
        """Make the users."""
        create_login(self.address, self.app.name, self.app.password, group=_APP_GROUP)
        create_login(self.address, self.worker.name, self.worker.password, group=_WORKER_GROUP)

    def drop(self) -> None:
        """Leave your own server as it was (but for the group roles, which the migrations never drop)."""
        drop_database(self.address, self.name)
        drop_login(self.address, self.app.name)
        drop_login(self.address, self.worker.name)

    def _url_as(self, user: DatabaseUser) -> str:
        return PostgresAddress(self.address.host, self.address.port, user.name, user.password).url(self.name)


def begin_standin(plan: Plan, place: Place, parts: Parts) -> StandinServer | None:
    """Start the stand-in and return at once (it loads its rows meanwhile); None with an Oracle of your own."""
    if plan.oracle_host is not None:
        return None
    server = StandinServer(place.run, port=plan.standin_port, options=StandinOptions(scale=plan.scale), logs=place.logs)
    server.begin()
    parts.add(server)
    return server


def oracle_access(plan: Plan, standin: StandinServer | None) -> OracleAccess:
    """Where the demo connection points."""
    if standin is not None:
        known = standin.address
        return OracleAccess(known.host, known.port, known.service_name, known.user, known.password)
    if plan.oracle_host is None or plan.oracle_password is None:
        raise ServerFailed("DEV_ORACLE_HOST needs DEV_ORACLE_PASSWORD")
    return OracleAccess(plan.oracle_host, plan.oracle_port, plan.oracle_service, plan.oracle_user, plan.oracle_password)


def start_redis(plan: Plan, place: Place, parts: Parts) -> str:
    """A Redis without keys of ours; returns its URL. Raises ServerFailed."""
    if plan.redis_url is None:
        server = RedisServer(place.run, port=plan.redis_port, logs=place.logs)
        server.start()
        parts.add(server)
        return server.address.url()
    try:
        with Redis.from_url(plan.redis_url) as connection:
            # Another gateway's head would be newer than ours for ever.
            for key in connection.scan_iter(_OUR_KEYS, count=_KEYS_PER_ROUND):
                connection.delete(key)
    except (RedisError, ValueError) as error:
        raise ServerFailed(f"DEV_REDIS_URL: {error}") from error
    return plan.redis_url


def start_postgres(plan: Plan, place: Place, parts: Parts, secrets: StackSecrets) -> Database:
    """A Postgres with an empty database for this stack. Raises ServerFailed."""
    if plan.postgres_url is None:
        # fsync stays on, as where it matters, so that what is tried here costs what it costs there.
        options = PostgresOptions(fsync=True)
        server = PostgresServer(place.run, port=plan.postgres_port, options=options, logs=place.logs)
        server.start()
        parts.add(server)
        address = server.address
    else:
        try:
            address = address_from(plan.postgres_url)
        except ValueError as error:
            raise ServerFailed(f"DEV_POSTGRES_URL: {error}") from error
    name = f"querygateway_dev_{secrets.suffix}"
    try:
        create_database(address, name)
    except OSError as error:
        raise ServerFailed(f"Postgres at {address.host}:{address.port}: {error}") from error
    app = DatabaseUser(f"qg_dev_control_plane_{secrets.suffix}", secrets.database_password)
    worker = DatabaseUser(f"qg_dev_worker_{secrets.suffix}", secrets.worker_database_password)
    return Database(address, name, app, worker)
