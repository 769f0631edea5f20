"""Opening sessions for a pool: each in its own task, bounded, with backoff, told as events."""

import asyncio
import ssl
import time
from collections.abc import Callable

from qg_oracle.backoff import Backoff
from qg_oracle.errors import classify
from qg_oracle.events import LogonFailed, Observe, SessionOpened
from qg_oracle.logon import make_tls, needs_tls, open_connection
from qg_oracle.sessions import Session
from qg_oracle.targets import ConnectionTarget


class Opener:
    """Signs in to one target. `on_session` gets each session, `on_change` is called after every attempt and whenever
    it is time to try again."""

    def __init__(
        self,
        target: ConnectionTarget,
        fingerprint: str,
        *,
        observe: Observe,
        hosts_allowed: tuple[str, ...],
        on_session: Callable[[Session], None],
        on_change: Callable[[], None],
    ) -> None:
        self.backoff = Backoff()
        self._target = target
        self._fingerprint = fingerprint
        self._observe = observe
        self._hosts_allowed = hosts_allowed
        self._on_session = on_session
        self._on_change = on_change
        self._tls: ssl.SSLContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """Attempts under way."""
        return len(self._tasks)

    def start(self) -> None:
        """Begin one attempt."""
        task = asyncio.get_running_loop().create_task(self._open())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Give up the attempts under way: nobody else has their connections yet."""
        for task in self._tasks:
            task.cancel()

    async def _open(self) -> None:
        started = time.monotonic()
        try:
            if self._tls is None and needs_tls(self._target):
                self._tls = await make_tls(self._target)
            connection = await open_connection(self._target, self._hosts_allowed, self._tls)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._failed(error)
            return
        session = Session(connection, time.monotonic())
        self.backoff.succeeded()
        self._observe(
            SessionOpened(
                connection_id=self._target.connection_id,
                pool=self._fingerprint,
                duration_ms=(session.opened_at - started) * 1000,
            )
        )
        self._on_session(session)

    def _failed(self, error: Exception) -> None:
        failure = classify(error, logging_on=True)
        self.backoff.failed(failure)
        asyncio.get_running_loop().call_later(self.backoff.delay_s + 0.01, self._on_change)
        self._observe(
            LogonFailed(
                connection_id=self._target.connection_id,
                pool=self._fingerprint,
                kind=failure.kind.value,
                code=failure.code,
                retry_in_s=self.backoff.delay_s,
            )
        )

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._on_change()
