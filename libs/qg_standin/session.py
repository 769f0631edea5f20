"""One client session: connect, negotiate, sign in, then requests until logoff."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from qg_standin import logon, packets, replies, requests
from qg_standin.binds import BindType
from qg_standin.cursors import Cursor
from qg_standin.entrance import Negotiator, refusal
from qg_standin.execution import Execution
from qg_standin.failures import OracleError
from qg_standin.host import Host
from qg_standin.link import Link
from qg_standin.lob_requests import LobCall
from qg_standin.packets import SDU_BYTES_MAX, SDU_BYTES_MIN, ConnectRequest
from qg_standin.requests import Request, RequestParser
from qg_standin.response import Call, CallInterrupted, Response
from qg_standin.session_view import ACTIVE, INACTIVE, SessionView
from qg_standin.sign_in import SignIn
from qg_standin.wire import Malformed, NeedMore, bytes2, ub

_log = logging.getLogger(__name__)
SIGN_IN_S_MAX = 60.0


class Session:
    """Sits on one link; `view` is what other sessions see of it once it is signed in."""

    def __init__(self, host: Host, link: Link) -> None:
        self.link = link
        self.view: SessionView | None = None
        self._host = host
        self._profile = host.profile
        self._negotiator = Negotiator(host.profile)
        self._sign_in = SignIn(host)
        # A client that connects and says nothing must not hold a connection for ever.
        self._sign_in_limit = asyncio.get_running_loop().call_later(SIGN_IN_S_MAX, self._abort_stranger)
        self._execution: Execution | None = None
        self._parser = RequestParser(self._profile.field_version, self._binds_of)
        self._call: Call | None = None

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
        while buffer and self._call is None and self.link.is_open:
            try:
                request, length = self._parser.parse(buffer)
            except NeedMore:
                return
            del buffer[:length]
            self._handle(request)

    def _handle(self, request: Request) -> None:
        """Piggybacks first, then the function: on the spot where possible, else as a running call."""
        execution, function = self._execution, request.function
        if execution is None:
            if not isinstance(function, requests.Logon):
                raise Malformed("a request before the sign-in")
            logon_request = function
            self._run(lambda _call: self._on_logon(logon_request))
            return
        self._apply_piggybacks(execution, request)
        if isinstance(function, requests.Repeated):
            if self._host.faults.are_quiet and (known := execution.repeat(function.answer)) is not None:
                self.link.write(known)
                return
            function = self._parser.parse_body(function.body)
        self._dispatch(execution, function, request.body)

    def _apply_piggybacks(self, execution: Execution, request: Request) -> None:
        if request.closed_cursors:
            execution.cursors.close(request.closed_cursors)
        for locator in request.freed_locators:
            execution.lobs.free(locator)
        if request.tags and self.view is not None:
            self.view.tags.update(request.tags)

    def _dispatch(self, execution: Execution, function: requests.Function, body: bytes) -> None:
        if isinstance(function, requests.Execute):
            if self._host.faults.take_drop():
                self.link.abort()
                return
            self._start_execute(execution, function, body)
        elif isinstance(function, requests.Fetch):
            self._run(lambda call: self._fetch(execution, function, call))
        elif isinstance(function, LobCall):
            self._run(lambda _call: self._lob(execution, function))
        elif isinstance(function, requests.Simple):
            self._simple(execution, function.code)
        else:
            raise Malformed("a second sign-in")

    def _start_execute(self, execution: Execution, function: requests.Execute, body: bytes) -> None:
        faults = self._host.faults
        response = self._response()
        try:
            cursor = execution.cursor_for(function)
            failure = faults.take_execute_error()
            if failure is not None:
                raise failure
            if not faults.delay_ms and execution.answer_from_cache(cursor, function, response):
                packets_sent = response.finish()
                if body:
                    execution.keep(body, cursor, packets_sent)
                return
        except OracleError as error:
            self._fail(error)
            return
        self._run(lambda call: self._execute(execution, cursor, function, call))

    # -- calls

    def _run(self, work: Callable[[Call], Awaitable[None]]) -> None:
        call = self._call = Call()
        if self.view is not None:
            self.view.status = ACTIVE
        task = asyncio.get_running_loop().create_task(self._guard(work, call))
        call.task = task

    async def _guard(self, work: Callable[[Call], Awaitable[None]], call: Call) -> None:
        try:
            if self._host.faults.delay_ms:
                await call.sleep(self._host.faults.delay_ms / 1000)
            await work(call)
        except CallInterrupted:
            pass
        except OracleError as error:
            if not call.interrupted.is_set():
                self._fail(error)
        except Malformed as error:
            _log.warning("connection aborted: %s", error)
            self.link.abort()
        except Exception:  # noqa: BLE001  (logged; one connection must not end the server)
            _log.exception("a call failed; connection aborted")
            self.link.abort()
        finally:
            self._call = None
            if self.view is not None:
                self.view.status = INACTIVE
            call.ended.set()
            if self.link.is_open:
                self.link.look_again()
            else:
                self._release()

    def _response(self) -> Response:
        return Response(self.link, ends_marked=self._negotiator.ends_marked)

    def _fail(self, error: OracleError) -> None:
        response = self._response()
        status = self._execution.call_status if self._execution is not None else 0
        response.add(
            replies.error(
                self._parser.field_version,
                call_status=status,
                number=error.code,
                message=error.text,
                position=error.position,
            )
        )
        response.finish()

    async def _execute(self, execution: Execution, cursor: Cursor, function: requests.Execute, call: Call) -> None:
        response = self._response()
        await execution.execute(cursor, function, call, response)
        call.check()
        response.finish()

    async def _fetch(self, execution: Execution, function: requests.Fetch, call: Call) -> None:
        response = self._response()
        await execution.fetch(execution.cursors.get(function.cursor_id), function.rows_wanted, call, response)
        call.check()
        response.finish()

    async def _lob(self, execution: Execution, function: LobCall) -> None:
        self._send(execution.lobs.answer(function) + replies.status(execution.call_status))

    def _simple(self, execution: Execution, code: int) -> None:
        if code == requests.VERSION:
            banner = self._profile.version_text.encode()
            head = b"\x08" + bytes2(banner) + ub(self._profile.version_number)
            self._send(head + replies.status(execution.call_status))
        elif code in (requests.COMMIT, requests.ROLLBACK) and execution.transaction.is_open:
            self._run(lambda _call: self._end_transaction(execution, code))
        elif self._host.faults.delay_ms:
            self._run(lambda _call: self._acknowledge(execution))
        else:
            self._send(replies.status(execution.call_status))

    async def _acknowledge(self, execution: Execution) -> None:
        self._send(replies.status(execution.call_status))

    async def _end_transaction(self, execution: Execution, code: int) -> None:
        await (execution.commit() if code == requests.COMMIT else execution.rollback())
        self._send(replies.status(execution.call_status))

    def _send(self, message: bytes) -> None:
        response = self._response()
        response.add(message)
        response.finish()

    # -- sign-in

    async def _on_logon(self, function: requests.Logon) -> None:
        ok = replies.error(self._parser.field_version)
        try:
            if function.phase == 1:
                self._send(self._sign_in.challenge(function.request) + ok)
                return
            user, proof = await self._sign_in.prove(function.request)
        except OracleError as error:
            self._fail(error)
            self.link.close()
            return
        host = self._host
        sid, serial = host.number_session()
        self.view = SessionView(sid, serial, user, host.service_name)
        self._execution = Execution(host.shared, host.profile, host.surroundings(self.view))
        self._execution.field_version = self._parser.field_version
        self._parser.known = self._execution.spot_answers
        self._sign_in_limit.cancel()
        welcome = logon.welcome(
            proof,
            session_id=sid,
            serial=serial,
            version_number=host.profile.version_number,
            service_name=host.service_name,
        )
        self._send(welcome + ok)

    def _binds_of(self, cursor_id: int) -> tuple[tuple[BindType, ...], int, bool]:
        if self._execution is None:
            raise Malformed("an execution before the sign-in")
        return self._execution.cursors.binds_of(cursor_id)

    # -- breaks and the end

    def _abort_stranger(self) -> None:
        if self.view is None:
            self.link.abort()

    def on_break(self) -> None:
        if self._call is not None:
            self._call.interrupted.set()

    def on_reset(self) -> None:
        call = self._call
        self._resetting = asyncio.get_running_loop().create_task(self._reset(call))

    async def _reset(self, call: Call | None) -> None:
        """The reply to a break goes out only when the broken call has really stopped."""
        if call is not None:
            await call.ended.wait()
        self.link.write(packets.marker(packets.MARKER_RESET))
        self.link.is_breaking = False
        self._fail(OracleError(1013))

    def on_closed(self) -> None:
        self._sign_in_limit.cancel()
        self._host.forget(self)
        if self._call is not None:
            self._call.interrupted.set()
        else:
            self._release()

    def _release(self) -> None:
        execution, self._execution = self._execution, None
        if execution is not None:
            execution.close()
