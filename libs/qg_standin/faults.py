"""Faults that tests switch on in a running stand-in, without SQL."""

from __future__ import annotations

from collections.abc import Callable

from qg_standin.failures import OracleError


class Faults:
    """All off by default. Set from the event loop that runs the server.

    refuse_connect_code: the listener refuses new connections (12514, 12516, 12505).
    refuse_logon_code: sign-ins fail with this ORA code (18, 1017, 28000).
    delay_ms: every call but marker handling waits that long first, interruptibly.
    stall_accept: new connections are accepted and never answered.
    """

    def __init__(self, drop_connections: Callable[[], int]) -> None:
        self.refuse_connect_code: int | None = None
        self.refuse_logon_code: int | None = None
        self.delay_ms = 0
        self.stall_accept = False
        self._drop_connections = drop_connections
        self._execute_code = 0
        self._execute_count = 0
        self._drops_left = 0

    def drop_connections(self) -> int:
        """Abort every TCP connection at once; returns how many there were."""
        return self._drop_connections()

    def fail_executes(self, code: int, count: int = 1) -> None:
        """The next `count` executes answer this ORA code."""
        self._execute_code, self._execute_count = code, count

    def drop_on_execute(self, count: int = 1) -> None:
        """The next `count` executes abort their connection instead of answering."""
        self._drops_left = count

    @property
    def are_quiet(self) -> bool:
        """No fault concerns calls of existing sessions."""
        return not (self.delay_ms or self._execute_count or self._drops_left)

    def take_execute_error(self) -> OracleError | None:
        if self._execute_count <= 0:
            return None
        self._execute_count -= 1
        return OracleError(self._execute_code)

    def take_drop(self) -> bool:
        if self._drops_left <= 0:
            return False
        self._drops_left -= 1
        return True

    def clear(self) -> None:
        """Everything works again."""
        self.refuse_connect_code = self.refuse_logon_code = None
        self.delay_ms = self._execute_count = self._drops_left = 0
        self.stall_accept = False
