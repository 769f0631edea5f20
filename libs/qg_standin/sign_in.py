"""The two phases of one sign-in."""

from __future__ import annotations

import asyncio

from qg_standin import logon
from qg_standin.failures import OracleError
from qg_standin.host import Host
from qg_standin.session_view import User
from qg_standin.wire import Malformed


class SignIn:
    """Phase one names the user, phase two proves the password; an unknown user fails in phase two as well."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._user: User | None = None
        self._exchange: logon.Exchange | None = None

    def challenge(self, request: logon.LogonRequest) -> bytes:
        """The answer to phase one."""
        self._user, verifier = self._host.accounts.find(request.user)
        self._exchange = logon.Exchange(verifier)
        return self._exchange.challenge()

    async def prove(self, request: logon.LogonRequest) -> tuple[User, bytes]:
        """The user and the server's own proof; OracleError 1017 for whatever does not fit."""
        if self._exchange is None:
            raise Malformed("auth phase two before phase one")
        exchange, self._exchange = self._exchange, None
        if self._host.faults.refuse_logon_code is not None:
            raise OracleError(self._host.faults.refuse_logon_code)
        # Not in the threads of the engine: nobody should wait for heavy statements to sign in.
        proof = await asyncio.to_thread(exchange.prove, request.pairs)
        if proof is None or self._user is None:
            raise OracleError(1017)
        return self._user, proof
