"""What a trace says: pieces of work that are over, with their parts."""

import enum
from typing import Protocol

import msgspec

Attribute = str | int | float | bool
"""What stands beside a piece of work; its name follows OpenTelemetry's semantic conventions, else begins with `qg.`."""


class Kind(enum.Enum):
    """How a piece of work stands to others, as OpenTelemetry's span kinds say it."""

    SERVES = "server"
    """A request that came from outside."""
    CALLS = "client"
    """A call of something outside."""
    INTERNAL = "internal"


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work; `began` and `ended` in Unix seconds. No attribute is a secret, a bind or a row."""

    name: str
    kind: Kind
    began: float
    ended: float
    attributes: dict[str, Attribute]
    failed: bool = False
    parts: tuple["Work", ...] = ()


class Traces(Protocol):
    """Where work is told of. Never raises and never waits."""

    def record(self, work: Work, traceparent: bytes | None = None) -> str | None:
        """Tell of one; its trace's id in hex, null when sampling left it out.

        `traceparent` is the caller's header (W3C Trace Context), where the caller may decide what is traced.
        """
        ...

    def close(self) -> None:
        """Send what is waiting, within a few seconds."""
        ...
