"""Every event keeps the rules of its base: flat, named after its class, documented, without a secret."""

import types
import typing

import msgspec
import pytest
from msgspec.structs import fields

from qg_telemetry.events import Event, Level, every_event
from qg_telemetry.events.base import snake_case
from qg_telemetry.log import texts_of

PLAIN = (str, int, float, bool, type(None))
SECRET_WORDS = ("password", "secret", "token", "api_key", "authorization", "presented", "sealed", "private")
EVENTS = every_event()


@pytest.mark.parametrize("event_type", EVENTS, ids=lambda event_type: event_type.event)
def test_an_event_keeps_the_rules(event_type: type[Event]) -> None:
    assert event_type.event == snake_case(event_type.__name__) == event_type.__struct_config__.tag
    assert event_type.__struct_config__.tag_field == "event"
    assert event_type.__struct_config__.frozen
    assert (event_type.__doc__ or "").strip()
    assert isinstance(event_type.level, Level)
    names = [field.name for field in fields(event_type)]
    assert not {"at", "level", "service", "event"} & set(names)
    assert not [name for name in names if any(word in name for word in SECRET_WORDS)]
    assert event_type.counted_by is None or event_type.counted_by in names
    assert set(texts_of(event_type)) <= set(names)
    for field in fields(event_type):
        assert is_flat(field.type), f"{field.name}: {field.type}"


def is_flat(annotation: object) -> bool:
    if annotation in PLAIN or annotation is msgspec.UnsetType:  # a field that may be absent
        return True
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return all(is_flat(part) for part in typing.get_args(annotation))
    if origin is tuple:
        return typing.get_args(annotation) == (str, ...)
    return isinstance(annotation, type) and issubclass(annotation, str)


def test_names_are_unique() -> None:
    names = [event_type.event for event_type in EVENTS]
    assert len(names) == len(set(names)) > 10


def test_the_one_line_per_request_has_what_operators_ask_for() -> None:
    from qg_telemetry.events import RequestServed

    names = {field.name for field in fields(RequestServed)}
    assert {"request_id", "user", "endpoint", "method", "client_ip", "status", "duration_ms"} <= names
    assert RequestServed.event == "request_served"


def test_an_event_can_not_be_changed() -> None:
    from tests.unit.qg_telemetry.samples import served

    with pytest.raises(AttributeError):
        served().status = 500  # type: ignore[misc]  # that is the point
    assert msgspec.json.decode(msgspec.json.encode(served()))["event"] == "request_served"
