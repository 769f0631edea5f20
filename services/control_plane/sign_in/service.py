"""Signing in with a password, and recognising the token afterwards."""

import time
from collections.abc import Callable, Sequence

import msgspec

from control_plane.actors import Actor
from control_plane.edge.visit import Visit
from control_plane.sign_in.limits import FailureLedger
from control_plane.sign_in.secret import AdminSecret, sealed_admin_row
from qg_core.errors import CredentialExpired, CredentialInvalid, FieldProblem, InvalidInput, SignInFailed, SignInLimited
from qg_security.admin_tokens import issue_admin_token, verify_admin_token
from qg_security.claims import TokenExpired, TokenInvalid
from qg_security.passwords import PASSWORD_BYTES_MAX, PasswordChecker
from qg_security.sealing import Sealer
from qg_store.engine import SessionFactory
from qg_store.models import Admin, AuditEntry
from qg_store.repositories import admins, audit_log
from qg_telemetry.events import AdminSignedIn, AdminSignInRefused, Observe, SignInFlooded


class IssuedToken(msgspec.Struct, frozen=True):
    """A new token and when it ends (Unix seconds)."""

    token: str
    expires_at: int


class SignIn:
    """Unknown users cost the same work as wrong passwords, and both get the same answer."""

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        sealer: Sealer,
        passwords: PasswordChecker,
        failures: FailureLedger,
        token_keys: Sequence[bytes],
        token_expires_s: int,
        observe: Observe,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = sessions
        self._sealer = sealer
        self._passwords = passwords
        self._failures = failures
        self._token_keys = tuple(token_keys)
        self._token_expires_s = token_expires_s
        self._observe = observe
        self._now = now

    async def sign_in(self, username: str, password: str, visit: Visit) -> IssuedToken:
        """A token for the right password. Raises `InvalidInput`, `SignInFailed`, `SignInLimited`, `SignInBusy`."""
        plain = password.encode()
        if len(plain) > PASSWORD_BYTES_MAX:
            raise InvalidInput([FieldProblem("password", f"must have at most {PASSWORD_BYTES_MAX} bytes")])
        async with self._failures.turn(visit.network):
            await self._refuse_flood(username, visit)
            admin = await self._checked(username, plain)
            if admin is None:
                await self._failures.note_failure(visit.network, username)
                self._observe(
                    AdminSignInRefused(
                        request_id=visit.request_id, client_ip=visit.client_ip, reason="unknown_or_wrong_password"
                    )
                )
                raise SignInFailed
            await self._failures.note_success(visit.network, username)
        await self._record(admin, visit)
        token, expires_at = issue_admin_token(
            self._token_keys,
            username=admin.username,
            role=admin.role,
            version=admin.token_version,
            expires_in_s=self._token_expires_s,
            now=self._now(),
        )
        return IssuedToken(token, expires_at)

    async def recognise(self, token: bytes, visit: Visit) -> Actor:
        """The admin of a token, as stored now: one who was removed or whose token version was raised is nobody.

        Raises `CredentialInvalid` and `CredentialExpired`.
        """
        try:
            claims = verify_admin_token(token, self._token_keys, self._now())
        except TokenExpired:
            raise CredentialExpired("The token has expired; sign in again.") from None
        except TokenInvalid as error:
            self._refused(visit, error.reason)
            raise CredentialInvalid from None
        async with self._sessions() as session:
            admin = await admins.by_username(session, claims.sub)
        if admin is None or admin.token_version != claims.ver:
            self._refused(visit, "token_revoked")
            raise CredentialInvalid
        return Actor(
            admin_id=admin.id,
            username=admin.username,
            role=admin.role,
            request_id=visit.request_id,
            remote_ip=visit.client_ip,
        )

    async def _refuse_flood(self, username: str, visit: Visit) -> None:
        try:
            await self._failures.check(visit.network, username)
        except SignInLimited:
            self._observe(SignInFlooded(request_id=visit.request_id, client_ip=visit.client_ip, reason="admin_sign_in"))
            raise

    async def _checked(self, username: str, plain: bytes) -> Admin | None:
        # The session ends before the slow part: a flood of sign-ins must not hold connections.
        async with self._sessions() as session:
            admin = await admins.by_username(session, username)
        if admin is None:
            await self._passwords.burn(plain)
            return None
        secret = self._sealer.open(sealed_admin_row(admin.id), admin.sealed, AdminSecret)
        return admin if await self._passwords.check(plain, secret.bcrypt_hash) else None

    async def _record(self, admin: Admin, visit: Visit) -> None:
        async with self._sessions.begin() as session:
            await audit_log.add(
                session,
                AuditEntry(
                    actor=admin.username,
                    actor_id=admin.id,
                    action="sign_in",
                    subject_kind="admin",
                    subject_id=admin.id,
                    summary="signed in",
                    request_id=visit.request_id,
                    remote_ip=visit.client_ip,
                ),
            )
        self._observe(AdminSignedIn(request_id=visit.request_id, user=admin.username, client_ip=visit.client_ip))

    def _refused(self, visit: Visit, reason: str) -> None:
        self._observe(AdminSignInRefused(request_id=visit.request_id, client_ip=visit.client_ip, reason=reason))
