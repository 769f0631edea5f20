"""What an event is: one Struct per thing that can happen, named in snake case, with a level of its own."""

import enum
import functools
import re
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec


class Level(enum.IntEnum):
    """How loud an event is; the numbers are those of the standard library's `logging`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_case(class_name: str) -> str:
    """`RequestServed` -> `request_served`."""
    return _WORD_START.sub("_", class_name).lower()


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=snake_case):
    """Base of all events. Fields are flat: text, numbers, booleans, null, a tuple of text, or absent; never a secret.

    `event` is the name in log lines and metrics, from the class name. `texts` names the text fields that may hold
    something from outside and so pass through redaction; None means every text field. `counted_by` names the field
    whose value (a slug out of a small set) becomes the label `reason` of `qg_events_total`.
    """

    event: ClassVar[str]
    level: ClassVar[Level] = Level.INFO
    texts: ClassVar[tuple[str, ...] | None] = None
    counted_by: ClassVar[str | None] = None

    def __init_subclass__(cls, **_options: Any) -> None:  # the options are msgspec's, whose metaclass reads them
        cls.event = snake_case(cls.__name__)


Observe = Callable[[Event], None]
"""How everything says what happened; the process hands one `Observer` down."""


def ignore(_: Event) -> None:
    """An `Observe` for where nobody listens (tests, scripts)."""


def retold(said: msgspec.Struct) -> Event:
    """What a lib said happened (qg_oracle's events), as the event of the same name and fields.

    Raises `KeyError` when there is none.
    """
    return _events_by_name()[type(said).__name__](**msgspec.structs.asdict(said))


@functools.cache
def _events_by_name() -> dict[str, type[Event]]:
    return {event_type.__name__: event_type for event_type in every_event()}


def every_event() -> tuple[type[Event], ...]:
    """All event classes that are defined so far, in the order of definition."""
    return tuple(Event.__subclasses__())
