"""From a request of a signed-in session to its answer: on the spot where possible, else as a running call."""

from __future__ import annotations

from qg_standin import replies, requests
from qg_standin.calls import Calls
from qg_standin.cursors import Cursor
from qg_standin.execution import Execution
from qg_standin.failures import OracleError
from qg_standin.faults import Faults
from qg_standin.link import Link
from qg_standin.lob_requests import LobCall
from qg_standin.profile import Profile
from qg_standin.request_parser import RequestParser
from qg_standin.requests import Request
from qg_standin.response import Call
from qg_standin.session_view import SessionView
from qg_standin.wire import Malformed, bytes2, ub


class Dispatch:
    """Knows which function of the execution answers what."""

    def __init__(
        self,
        link: Link,
        calls: Calls,
        parser: RequestParser,
        execution: Execution,
        view: SessionView,
        *,
        faults: Faults,
        profile: Profile,
    ) -> None:
        self._link = link
        self._calls = calls
        self._parser = parser
        self._execution = execution
        self._view = view
        self._faults = faults
        self._profile = profile

    def handle(self, request: Request) -> None:
        """Piggybacks first, then the function."""
        self._apply_piggybacks(request)
        function = request.function
        if isinstance(function, requests.Repeated):
            if self._faults.are_quiet and (known := self._execution.repeat(function.answer)) is not None:
                self._link.write(known)
                return
            function = self._parser.parse_body(function.body)
        if isinstance(function, requests.Execute):
            self._start_execute(function, request.body)
        elif isinstance(function, requests.Fetch):
            fetch = function
            self._calls.run(lambda call: self._fetch(fetch, call))
        elif isinstance(function, LobCall):
            lob_call = function
            self._calls.run(lambda _call: self._lob(lob_call))
        elif isinstance(function, requests.Simple):
            self._simple(function.code)
        else:
            raise Malformed("a second sign-in")

    def _apply_piggybacks(self, request: Request) -> None:
        if request.closed_cursors:
            self._execution.cursors.close(request.closed_cursors)
        for locator in request.freed_locators:
            self._execution.lobs.free(locator)
        if request.tags:
            self._view.tags.update(request.tags)

    def _start_execute(self, function: requests.Execute, body: bytes) -> None:
        if self._faults.take_drop():
            self._link.abort()
            return
        response = self._calls.response()
        try:
            cursor = self._execution.cursor_for(function)
            failure = self._faults.take_execute_error()
            if failure is not None:
                raise failure
            told = cursor.described
            if not self._faults.delay_ms and self._execution.answer_from_cache(cursor, function, response):
                packets_sent = response.finish()
                if body and cursor.described is told:  # one that describes would do so each time it is repeated
                    self._execution.keep(body, cursor, packets_sent)
                return
        except OracleError as error:
            self._calls.fail(error)
            return
        self._calls.run(lambda call: self._execute(cursor, function, call))

    async def _execute(self, cursor: Cursor, function: requests.Execute, call: Call) -> None:
        response = self._calls.response()
        await self._execution.execute(cursor, function, call, response)
        call.check()
        response.finish()

    async def _fetch(self, function: requests.Fetch, call: Call) -> None:
        response = self._calls.response()
        cursor = self._execution.cursors.get(function.cursor_id)
        await self._execution.fetch(cursor, function.rows_wanted, call, response)
        call.check()
        response.finish()

    async def _lob(self, function: LobCall) -> None:
        self._calls.send(self._execution.lobs.answer(function) + self._status())

    def _simple(self, code: int) -> None:
        if code == requests.VERSION:
            banner = self._profile.version_text.encode()
            head = b"\x08" + bytes2(banner) + ub(self._profile.version_number)
            self._calls.send(head + self._status())
        elif code in (requests.COMMIT, requests.ROLLBACK) and self._execution.transaction.is_open:
            self._calls.run(lambda _call: self._end_transaction(code))
        elif self._faults.delay_ms:
            self._calls.run(lambda _call: self._acknowledge())
        else:
            self._calls.send(self._status())

    async def _acknowledge(self) -> None:
        self._calls.send(self._status())

    async def _end_transaction(self, code: int) -> None:
        await (self._execution.commit() if code == requests.COMMIT else self._execution.rollback())
        self._calls.send(self._status())

    def _status(self) -> bytes:
        return replies.status(self._execution.call_status)
