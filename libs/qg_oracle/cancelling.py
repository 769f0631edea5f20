"""How the gateway tells a running call that nobody wants its answer any more."""

from collections.abc import Callable


class CallCancelled(Exception):
    """The call was given up before it had its answer (`reason`); no caller is left to be told."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class CancelSignal:
    """Fired once, by whoever notices that the client is gone or reads too slowly; costs nothing until then."""

    __slots__ = ("_listener", "reason")

    def __init__(self) -> None:
        self.reason: str | None = None
        self._listener: Callable[[str], None] | None = None

    @property
    def fired(self) -> bool:
        return self.reason is not None

    def fire(self, reason: str) -> None:
        """Stop the call that listens now or will listen later; must be called on the call's event loop."""
        if self.reason is None:
            self.reason = reason
            if self._listener is not None:
                self._listener(reason)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the reason when fired, at once if that has happened."""
        self._listener = listener
        if self.reason is not None:
            listener(self.reason)

    def forget(self) -> None:
        self._listener = None
