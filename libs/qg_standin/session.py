"""One client session: connect, negotiate, sign in, then requests until logoff."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from qg_standin import logon, packets, replies, requests
from qg_standin.binds import BindType
from qg_standin.calls import Calls
from qg_standin.dispatch import Dispatch
from qg_standin.entrance import Negotiator, refusal
from qg_standin.execution import Execution
from qg_standin.failures import OracleError
from qg_standin.host import Host
from qg_standin.link import Link
from qg_standin.packets import SDU_BYTES_MAX, SDU_BYTES_MIN, ConnectRequest
from qg_standin.request_parser import RequestParser
from qg_standin.requests import Request
from qg_standin.response import Call
from qg_standin.session_view import SessionView
from qg_standin.sign_in import SignIn
from qg_standin.wire import Malformed, NeedMore

SIGN_IN_S_MAX = 60.0


class Session:
    """Sits on one link; `view` is what other sessions see of it once it is signed in."""

    def __init__(self, host: Host, link: Link, *, on_closed: Callable[[Session], None]) -> None:
        self.link = link
        self.view: SessionView | None = None
        self._host = host
        self._forget = on_closed
        self._profile = host.profile
        self._negotiator = Negotiator(host.profile)
        self._sign_in = SignIn(host)
        # A client that connects and says nothing must not hold a connection for ever.
        self._sign_in_limit = asyncio.get_running_loop().call_later(SIGN_IN_S_MAX, self._abort_stranger)
        self._execution: Execution | None = None
        self._parser = RequestParser(self._profile.field_version, self._binds_of)
        self._calls = Calls(link, host.faults, self._negotiator, on_ended=self._on_call_ended)
        self._dispatch: Dispatch | None = None

    # -- connecting

    def on_connect(self, request: ConnectRequest) -> None:
        if request.version < 300:
            raise Malformed(f"TNS version {request.version}")
        self.link.framing.sdu = min(max(request.sdu, SDU_BYTES_MIN), SDU_BYTES_MAX)
        if request.connect_string is not None:
            self.on_connect_string(request.connect_string)

    def on_connect_string(self, text: str) -> None:
        if self._host.faults.stall_accept:
            return
        host = self._host
        code = refusal(text, host.service_name, host.faults, admits=host.admits())
        if code is not None:
            self.link.write(packets.refuse(code))
            self.link.close()
            return
        self.link.write(packets.accept(self._profile, self.link.framing.sdu))
        self.link.framing.wide = True

    # -- messages

    def on_message(self, buffer: bytearray) -> None:
        if not self._negotiator.has_ended():
            for reply in self._negotiator.replies(buffer):
                self.link.write(packets.frame_data(reply, self.link.framing.sdu, 0))
            if not self._negotiator.has_ended():
                return
            self._parser.field_version = self._negotiator.field_version
        while buffer and self._calls.current is None and self.link.is_open:
            try:
                request, length = self._parser.parse(buffer)
            except NeedMore:
                return
            del buffer[:length]
            self._handle(request)

    def _handle(self, request: Request) -> None:
        if self._dispatch is not None:
            self._dispatch.handle(request)
        elif isinstance(request.function, requests.Logon):
            logon_request = request.function
            self._calls.run(lambda _call: self._on_logon(logon_request))
        else:
            raise Malformed("a request before the sign-in")

    # -- sign-in

    async def _on_logon(self, function: requests.Logon) -> None:
        ok = replies.error(self._parser.field_version)
        try:
            if function.phase == 1:
                self._calls.send(self._sign_in.challenge(function.request) + ok)
                return
            user, proof = await self._sign_in.prove(function.request)
        except OracleError as error:
            self._calls.fail(error)
            self.link.close()
            return
        host = self._host
        sid, serial = host.number_session()
        self.view = SessionView(sid, serial, user, host.service_name)
        self._execution = Execution(host.shared, self._parser.field_version, host.surroundings(self.view))
        self._parser.known = self._execution.spot_answers
        self._calls.belong_to(self.view, self._execution)
        self._dispatch = Dispatch(
            self.link,
            self._calls,
            self._parser,
            self._execution,
            self.view,
            faults=host.faults,
            profile=host.profile,
        )
        self._sign_in_limit.cancel()
        welcome = logon.welcome(
            proof,
            session_id=sid,
            serial=serial,
            version_number=host.profile.version_number,
            service_name=host.service_name,
        )
        self._calls.send(welcome + ok)

    def _binds_of(self, cursor_id: int) -> tuple[tuple[BindType, ...], int, bool]:
        if self._execution is None:
            raise Malformed("an execution before the sign-in")
        return self._execution.cursors.binds_of(cursor_id)

    # -- breaks and the end

    def _abort_stranger(self) -> None:
        if self.view is None:
            self.link.abort()

    def on_break(self) -> None:
        self._calls.interrupt()

    def on_reset(self) -> None:
        self._resetting = asyncio.get_running_loop().create_task(self._reset(self._calls.current))

    async def _reset(self, call: Call | None) -> None:
        """The reply to a break goes out only when the broken call has really stopped."""
        if call is not None:
            await call.ended.wait()
        self.link.write(packets.marker(packets.MARKER_RESET))
        self.link.is_breaking = False
        self._calls.fail(OracleError(1013))

    def on_closed(self) -> None:
        self._sign_in_limit.cancel()
        self._forget(self)
        if self._calls.current is not None:
            self._calls.interrupt()
        else:
            self._release()

    def _on_call_ended(self) -> None:
        if self.link.is_open:
            self.link.look_again()
        else:
            self._release()

    def _release(self) -> None:
        execution, self._execution = self._execution, None
        if execution is not None:
            execution.close()
