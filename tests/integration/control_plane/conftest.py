"""A whole control plane in the test's own event loop, on real Postgres and Redis, called as HTTP."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import bcrypt
import httpx
import msgspec
import pytest

from control_plane.admins.service import first_token_version
from control_plane.app import ControlPlane, create_app
from control_plane.input.kinds import new_id
from control_plane.settings import settings_from
from control_plane.sign_in.secret import AdminSecret, sealed_admin_row
from control_plane.sql_check import SqlChecker
from qg_core.sql_policy import SqlFacts
from qg_security.sealing import new_fernet_key
from qg_security.signing import generate_signing_key
from qg_store.models import Admin
from qg_store.repositories import admins
from qg_telemetry.events import Event
from qg_telemetry.log import Log
from tests.fixtures.store import StoreUrls

PASSWORD = "correct horse battery"
# Of the least cost that is taken: most tests sign in, few are about the work it costs.
_HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


class Plane(msgspec.Struct):
    """The control plane, its events so far, its settings' text, and signed-in clients."""

    control_plane: ControlPlane
    events: list[Event]
    environ: dict[str, str]
    client: httpx.AsyncClient
    """Not signed in."""
    admin: httpx.AsyncClient
    """Signed in with role admin."""


ResultT = TypeVar("ResultT")
MakePlane = Callable[..., Awaitable[Plane]]


class SharedChecker(SqlChecker):
    """One process for all tests of a test worker, on an event loop of its own: a start costs half a second."""

    def __init__(self) -> None:
        super().__init__(processes=1)
        self._own_loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._own_loop.run_forever, name="shared-checker", daemon=True)
        self._started = False

    async def start(self) -> None:
        """Nothing yet: most tests have no statement."""

    async def stop(self) -> None:
        """Nothing: the next test may have one."""

    async def check(self, sql_text: str, allowed_functions: frozenset[str] = frozenset()) -> SqlFacts:
        if not self._started:
            self._started = True
            self._thread.start()
            await self._run(super().start())
        return await self._run(super().check(sql_text, allowed_functions))

    def end(self) -> None:
        """After the last test."""
        if self._started:
            asyncio.run_coroutine_threadsafe(super().stop(), self._own_loop).result(10)
            self._own_loop.call_soon_threadsafe(self._own_loop.stop)
            self._thread.join(10)
        self._own_loop.close()

    async def _run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._own_loop))


@pytest.fixture(scope="session")
def shared_checker() -> Iterator[SharedChecker]:
    """What checks the statements of every control plane that runs in a test's own process."""
    checker = SharedChecker()
    yield checker
    checker.end()


def environment(store_urls: StoreUrls, redis_url: str) -> dict[str, str]:
    """A complete, valid environment."""
    private, _ = generate_signing_key()
    return {
        "GATEWAY_ID": "test-gateway",
        "DATABASE_URL": store_urls.app,
        "REDIS_URL": redis_url,
        "ENCRYPTION_KEY": new_fernet_key(),
        "BUNDLE_SEAL_KEY": new_fernet_key(),
        "BUNDLE_SIGNING_KEY": private,
        "JWT_SECRET_KEY": "k" * 64,
        "ADMIN_USERNAME": "ada",
        "ADMIN_PASSWORD_HASH": _HASH,
        "APP_ENV": "test",
        "BCRYPT_QUEUE_MAX": "200",
    }


def client_of(control_plane: ControlPlane, address: str = "192.0.2.1") -> httpx.AsyncClient:
    """A client that calls the application from `address`."""
    transport = httpx.ASGITransport(control_plane.app, raise_app_exceptions=False, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://control")


async def sign_in(client: httpx.AsyncClient, username: str = "ada", password: str = PASSWORD) -> None:
    """Put a token into the client."""
    answer = await client.post("/api/v1/auth/login", json={"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    client.headers["authorization"] = "Bearer " + answer.json()["access_token"]


async def add_admin(plane: Plane, username: str, role: str) -> None:
    """An admin with `PASSWORD`, put into Postgres directly: through the API it costs a real bcrypt."""
    admin_id = new_id()
    sealed = plane.control_plane.sealer.seal(sealed_admin_row(admin_id), AdminSecret(_HASH))
    async with plane.control_plane.sessions.begin() as session:
        row = Admin(id=admin_id, username=username, role=role, sealed=sealed, token_version=first_token_version())
        await admins.save(session, row)


@pytest.fixture
async def make_plane(store_urls: StoreUrls, redis_url: str, shared_checker: SharedChecker) -> AsyncIterator[MakePlane]:
    """`make_plane(log, **environment)`: further control planes on the same database and Redis."""
    base = environment(store_urls, redis_url)
    planes: list[Plane] = []

    async def make(log: Log | None = None, **changes: str) -> Plane:
        environ = {**base, **changes}
        events: list[Event] = []
        control_plane = create_app(settings_from(environ), events.append, checker=shared_checker, log=log)
        plane = Plane(control_plane, events, environ, client_of(control_plane), client_of(control_plane))
        planes.append(plane)
        await control_plane.start()
        return plane

    yield make
    for plane in planes:
        await plane.client.aclose()
        await plane.admin.aclose()
        await plane.control_plane.close()


@pytest.fixture
async def plane(make_plane: MakePlane) -> Plane:
    """A running control plane with a signed-in admin."""
    made = await make_plane()
    await sign_in(made.admin)
    return made


@pytest.fixture
async def admin(plane: Plane) -> httpx.AsyncClient:
    """A client signed in with role admin."""
    return plane.admin
