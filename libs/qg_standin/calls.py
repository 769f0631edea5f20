"""Runs the calls of one session, one at a time, and sends what they answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from qg_standin import replies
from qg_standin.entrance import Negotiator
from qg_standin.execution import Execution
from qg_standin.failures import OracleError
from qg_standin.faults import Faults
from qg_standin.link import Link
from qg_standin.response import Call, CallInterrupted, Response
from qg_standin.session_view import ACTIVE, INACTIVE, SessionView
from qg_standin.wire import Malformed

_log = logging.getLogger(__name__)

Work = Callable[[Call], Awaitable[None]]


class Calls:
    """`current` is the call that runs; `on_ended` is told when it has really stopped."""

    def __init__(self, link: Link, faults: Faults, negotiator: Negotiator, *, on_ended: Callable[[], None]) -> None:
        self.current: Call | None = None
        self._link = link
        self._faults = faults
        self._negotiator = negotiator
        self._on_ended = on_ended
        self._view: SessionView | None = None
        self._execution: Execution | None = None

    def belong_to(self, view: SessionView, execution: Execution) -> None:
        """From the sign-in on: whose status calls show, and whose transaction their errors report."""
        self._view = view
        self._execution = execution

    def run(self, work: Work) -> None:
        """Start a call; there must be none."""
        call = self.current = Call()
        if self._view is not None:
            self._view.status = ACTIVE
        call.task = asyncio.get_running_loop().create_task(self._guard(work, call))

    def interrupt(self) -> None:
        if self.current is not None:
            self.current.interrupted.set()

    def response(self) -> Response:
        return Response(self._link, ends_marked=self._negotiator.ends_marked)

    def send(self, message: bytes) -> None:
        """One message as a whole response."""
        response = self.response()
        response.add(message)
        response.finish()

    def fail(self, error: OracleError) -> None:
        """An error as a whole response."""
        self.send(
            replies.error(
                self._negotiator.field_version,
                call_status=self._execution.call_status if self._execution is not None else 0,
                number=error.code,
                message=error.text,
                position=error.position,
            )
        )

    async def _guard(self, work: Work, call: Call) -> None:
        try:
            if self._faults.delay_ms:
                await call.sleep(self._faults.delay_ms / 1000)
            await work(call)
        except CallInterrupted:
            pass  # the reply to the break is the answer
        except OracleError as error:
            if not call.interrupted.is_set():
                self.fail(error)
        except Malformed as error:
            _log.warning("connection aborted: %s", error)
            self._link.abort()
        except Exception:  # noqa: BLE001  (logged; one connection must not end the server)
            _log.exception("a call failed; connection aborted")
            self._link.abort()
        finally:
            self.current = None
            if self._view is not None:
                self._view.status = INACTIVE
            call.ended.set()
            self._on_ended()
