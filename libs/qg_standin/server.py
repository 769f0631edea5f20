"""The stand-in as one object: listens, keeps accounts, schema and sessions."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from concurrent.futures import ThreadPoolExecutor

from qg_standin.accounts import Accounts
from qg_standin.cache import ResultCache
from qg_standin.catalog import Catalog
from qg_standin.columns import Kind, OracleType
from qg_standin.demo import load_demo
from qg_standin.engine import DuckEngine
from qg_standin.engine_pool import EnginePool
from qg_standin.faults import Faults
from qg_standin.link import Link
from qg_standin.macros import definitions
from qg_standin.profile import PROFILE_19, Profile
from qg_standin.session import Session
from qg_standin.session_view import ACTIVE, SessionView, Surroundings
from qg_standin.sources import Shared
from qg_standin.sql.plan import Planner

CONNECTIONS_MAX = 2000
CACHE_BYTES_MAX = 128 * 1024 * 1024
CACHE_ENTRY_BYTES_MAX = 16 * 1024 * 1024
CACHE_ENTRIES_MAX = 50_000
THREADS_MAX = 16
READER, WRITER = "QG_DEMO", "QG_WRITER"


class StandinServer:
    """An Oracle-speaking server for development and tests.

    users: accounts; `users.add(name, password, can_write=False)`. faults: what tests may switch on.
    Port 0 takes a free one; `port` tells it after `start`. `ssl_context` makes the port TCPS.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        service_name: str = "FREEPDB1",
        users: dict[str, str] | None = None,
        writers: dict[str, str] | None = None,
        demo: bool = False,
        scale: float = 1.0,
        connections_max: int = CONNECTIONS_MAX,
        ssl_context: ssl.SSLContext | None = None,
        profile: Profile = PROFILE_19,
    ) -> None:
        self.host = host
        self.port = port
        self.service_name = service_name
        self.profile = profile
        self.users = self.accounts = Accounts()
        for name, password in (users or {}).items():
            self.users.add(name, password)
        for name, password in (writers or {}).items():
            self.users.add(name, password, can_write=True)
        self.faults = Faults(self.drop_connections)
        self._demo_scale = scale if demo else None
        self._connections_max = connections_max
        self._ssl_context = ssl_context
        self._sessions: set[Session] = set()
        self._numbers = itertools.count(101)
        self._listener: asyncio.Server | None = None
        self._engine = DuckEngine()
        self._catalog = Catalog()
        self.shared = Shared(
            planner=Planner(self._catalog),
            catalog=self._catalog,
            cache=ResultCache(
                bytes_max=CACHE_BYTES_MAX,
                entry_bytes_max=CACHE_ENTRY_BYTES_MAX,
                entries_max=CACHE_ENTRIES_MAX,
            ),
            engines=EnginePool(self._engine),
            threads=ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="standin"),
        )

    async def start(self) -> None:
        """Load the schema and listen; OSError if the port is taken."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.shared.threads, self._prepare)
        self._listener = await loop.create_server(
            lambda: Link(self._new_session), self.host, self.port, ssl=self._ssl_context, backlog=1024
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the listener and every connection; the server can't be started again."""
        if self._listener is not None:
            self._listener.close()
        self.drop_connections()
        for _ in range(200):
            if not self._sessions:
                break
            await asyncio.sleep(0.01)
        if self._listener is not None:
            await self._listener.wait_closed()
        await asyncio.get_running_loop().run_in_executor(None, self.shared.threads.shutdown)
        self.shared.engines.close()
        self._engine.close()

    @property
    def session_count(self) -> int:
        """Signed-in sessions."""
        return len(self._views())

    @property
    def active_count(self) -> int:
        """Sessions that run a call."""
        return sum(view.status == ACTIVE for view in self._views())

    def drop_connections(self) -> int:
        sessions = list(self._sessions)
        for session in sessions:
            session.link.abort()
        return len(sessions)

    def _prepare(self) -> None:
        engine = self._engine.open_session()
        for statement in definitions():
            engine.execute(statement, {})
        self._catalog.declare("dual", {"dummy": OracleType(Kind.VARCHAR, size=1)})
        if self._demo_scale is not None:
            load_demo(engine, self._catalog, self._demo_scale)
        self.shared.engines.release(engine)

    def _new_session(self, link: Link) -> Session:
        session = Session(self, link, on_closed=self._sessions.discard)
        self._sessions.add(session)
        return session

    # -- what sessions ask of their host

    def admits(self) -> bool:
        return len(self._sessions) <= self._connections_max

    def number_session(self) -> tuple[int, int]:
        number = next(self._numbers)
        return number, number * 7 % 65_536

    def surroundings(self, view: SessionView) -> Surroundings:
        return Surroundings(view, self._views, self._catalog.names, self.profile.version_text)

    def _views(self) -> list[SessionView]:
        return [session.view for session in list(self._sessions) if session.view is not None]
