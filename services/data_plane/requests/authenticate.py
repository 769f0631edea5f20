"""Who is calling. Fails closed: whatever is not clearly allowed is a 401."""

from data_plane.requests.password_waits import PasswordWaits
from data_plane.requests.refuse_flood import RefuseFlood
from data_plane.requests.request import Request
from qg_core.client_address import network_of
from qg_core.errors import CredentialExpired, CredentialInvalid, SignInLimited
from qg_core.specs import MethodType
from qg_security.authenticators.base import Authenticator
from qg_security.principals import Principal
from qg_telemetry.events import CredentialRefused, Observe, SignInFlooded

CLAIMED_SHOWN_MAX = 64


class Authentication:
    """Checks credentials that are not in the verified cache, and counts the ones that fail."""

    def __init__(self, refuse_flood: RefuseFlood, password_waits: PasswordWaits, observe: Observe) -> None:
        self._refuse_flood = refuse_flood
        self._password_waits = password_waits
        self._observe = observe

    async def verify(
        self, authenticator: Authenticator, presented: bytes, request: Request, client_ip: str, now: float
    ) -> Principal:
        """The principal of a credential that `authenticator.recall` did not know; `now` is Unix seconds.

        Raises `CredentialInvalid`, `CredentialExpired`, `SignInBusy`, and `SignInLimited` when too many failed.
        """
        guessable = authenticator.method_type is MethodType.BASIC
        claimed = authenticator.claimed(presented)
        if guessable:
            try:
                self._refuse_flood.check_password(authenticator.method_id, claimed, client_ip)
            except SignInLimited:
                self._observe(SignInFlooded(request_id=request.request_id, client_ip=client_ip, reason="password"))
                raise
        try:
            if not guessable:
                return await authenticator.verify(presented, now)
            with self._password_waits.place(network_of(client_ip), presented):
                return await authenticator.verify(presented, now)
        except (CredentialInvalid, CredentialExpired) as error:
            self._observe(
                CredentialRefused(
                    request_id=request.request_id,
                    endpoint_id=None,
                    auth_method_id=authenticator.method_id,
                    claimed=claimed[:CLAIMED_SHOWN_MAX],
                    client_ip=client_ip,
                    reason=error.reason,
                )
            )
            if guessable:
                self._refuse_flood.password_failed(authenticator.method_id, claimed, client_ip)
            else:
                self._refuse_flood.forgery_failed(client_ip)
            raise
