"""One gateway under old keys, and `querygateway keys rotate` in this process, as often as a test likes."""

import asyncio
import uuid
from collections.abc import Mapping

import asyncpg
import msgspec

from control_plane.rotation.command import run
from control_plane.sign_in.secret import AdminSecret, sealed_admin_row
from qg_bundle.node_reports import read_reports
from qg_security.sealing import new_fernet_key
from qg_security.signing import generate_signing_key
from qg_store.models import Admin
from qg_store.repositories import gateway
from tests.fixtures.store import StoreUrls
from tests.integration.publishing.rig import BCRYPT, GATEWAY, Keys, Rig, endpoint
from tests.integration.rotation.leftovers import sealed_at_rest, under

_JWT = "an admin signing key of thirty-two bytes"

_HASH = "$2b$12$" + "a" * 53


class Run(msgspec.Struct, frozen=True):
    """What a run printed, and its exit status."""

    status: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class Turning:
    """`old` and `new` are whole sets of keys; `rig` publishes under the old ones."""

    def __init__(self, urls: StoreUrls, redis_url: str, rig: Rig, new: Keys) -> None:
        self.urls = urls
        self.redis_url = redis_url
        self.rig = rig
        self.old = rig.keys
        self.new = new
        self.rigs = [rig]

    @classmethod
    async def begin(cls, urls: StoreUrls, redis_url: str) -> "Turning":
        """One connection, method, credential, endpoint and admin, published and activated."""
        rig = Rig(urls.app, redis_url)
        signing, verify = generate_signing_key()
        found = cls(urls, redis_url, rig, Keys(signing, verify, new_fernet_key(), new_fernet_key()))
        async with rig.sessions.begin() as session:
            await gateway.claim(session, GATEWAY)
            admin_id = str(uuid.uuid4())
            sealed = rig.at_rest.seal(sealed_admin_row(admin_id), AdminSecret(BCRYPT))
            session.add(Admin(id=admin_id, username="ada", role="admin", sealed=sealed))
        connection, method = rig.connection(), rig.api_key_method()
        await rig.add(connection, method, rig.credential(method), endpoint(connection, method))
        await rig.parts.activation.run()
        await rig.parts.beacons.beat()
        return found

    async def close(self) -> None:
        for rig in self.rigs:
            await rig.close()

    def under_new(self) -> Rig:
        """The publishing of a control plane that has the new keys alone."""
        rig = Rig(self.urls.app, self.redis_url, self.new)
        self.rigs.append(rig)
        return rig

    async def reports(self, count: int) -> bool:
        """Whether so many nodes report."""
        return len(await read_reports(self.rig.redis)) == count

    def environ(self, **changes: str) -> dict[str, str]:
        """The control plane's environment: the new keys in front of the old ones."""
        return {
            "GATEWAY_ID": GATEWAY,
            "DATABASE_URL": self.urls.app,
            "REDIS_URL": self.redis_url,
            "ENCRYPTION_KEY": f"{self.new.at_rest},{self.old.at_rest}",
            "BUNDLE_SEAL_KEY": f"{self.new.seal},{self.old.seal}",
            "BUNDLE_SIGNING_KEY": self.new.signing,
            "BUNDLE_VERIFY_KEYS": f"{self.new.verify},{self.old.verify}",
            "JWT_SECRET_KEY": _JWT,
            "ADMIN_USERNAME": "ada",
            "ADMIN_PASSWORD_HASH": _HASH,
            "APP_ENV": "test",
            **changes,
        }

    async def rotate(
        self, *, check: bool = False, regardless: bool = False, environ: Mapping[str, str] | None = None
    ) -> Run:
        """One run, in a thread: it has an event loop of its own."""
        lines: list[str] = []
        status = await asyncio.to_thread(
            run,
            environ or self.environ(),
            only_check=check,
            regardless=regardless,
            say=lines.append,
            complain=lines.append,
        )
        return Run(status, lines)

    async def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """What Postgres says, past all roles."""
        session = await asyncpg.connect(self.urls.superuser)
        try:
            return [tuple(row) for row in await session.fetch(statement, *values)]
        finally:
            await session.close()

    async def sealed(self) -> dict[str, str]:
        """Row name -> sealed secret, of all tables."""
        return await sealed_at_rest(self.urls.superuser)

    async def under(self, keys: Keys) -> list[str]:
        """Everything in Postgres and Redis that these keys alone open or verify."""
        return await under(keys, self.urls.superuser, self.rig.redis, GATEWAY)
