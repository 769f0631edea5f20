"""Idle engine sessions, so that opening one is not part of every query."""

from __future__ import annotations

import threading

from qg_standin.engine import Engine, EngineSession

IDLE_SESSIONS_MAX = 32


class EnginePool:
    """Thread-safe. A session that was interrupted is closed by its user instead of being released."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[EngineSession] = []
        self._lock = threading.Lock()

    def acquire(self) -> EngineSession:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._engine.open_session()

    def release(self, session: EngineSession) -> None:
        """Give back a session whose result was read to the end, or that has none."""
        with self._lock:
            if len(self._idle) < IDLE_SESSIONS_MAX:
                self._idle.append(session)
                return
        session.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()
