"""Plain values into Structs, collecting every problem with its dotted path (msgspec stops at the first)."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from control_plane.input.json_text import PROBLEMS_MAX, JsonValue, shown
from control_plane.input.kinds import LINE_PATTERN
from qg_core.errors import FieldProblem, InvalidInput

StructT = TypeVar("StructT", bound=msgspec.Struct)


def convert(value: JsonValue, struct_type: type[StructT], *, lax: bool = False) -> StructT:
    """`value` as a `struct_type`; unknown fields are refused, `lax` reads numbers and booleans from text.

    Raises `InvalidInput` with every problem, at most `PROBLEMS_MAX`.
    """
    problems: list[FieldProblem] = []
    built = _struct(value, struct_type, "", problems, lax)
    if problems:
        raise InvalidInput(problems[:PROBLEMS_MAX])
    assert isinstance(built, struct_type)  # noqa: S101 - built from all its fields, else there was a problem
    return built


@lru_cache(256)
def _fields(struct_type: type[msgspec.Struct]) -> Mapping[str, tuple[msgspec.structs.FieldInfo, inspect.Type]]:
    described = inspect.type_info(struct_type)
    assert isinstance(described, inspect.StructType)  # noqa: S101 - a Struct is described as one
    types = {field.encode_name: field.type for field in described.fields}
    return {field.encode_name: (field, types[field.encode_name]) for field in msgspec.structs.fields(struct_type)}


def _struct(value: Any, struct_type: type[msgspec.Struct], path: str, problems: list[FieldProblem], lax: bool) -> Any:
    if not isinstance(value, dict):
        problems.append(FieldProblem(path or "body", "must be an object"))
        return None
    fields = _fields(struct_type)
    problems.extend(FieldProblem(_join(path, name), "is not a field here") for name in value if name not in fields)
    arguments: dict[str, Any] = {}
    for name, (field, described) in fields.items():
        if name in value:
            arguments[field.name] = _value(value[name], field.type, described, _join(path, name), problems, lax)
        elif field.required:
            problems.append(FieldProblem(_join(path, name), "is required"))
    return struct_type(**arguments) if not problems else None


def _value(value: Any, wanted: Any, described: inspect.Type, path: str, problems: list[FieldProblem], lax: bool) -> Any:
    plain = _plain(described, value)
    if isinstance(plain, inspect.StructType) and isinstance(value, dict):
        return _struct(value, plain.cls, path, problems, lax)
    if isinstance(plain, inspect.DictType) and isinstance(value, dict) and value:
        return _dict(value, wanted, plain, path, problems, lax)
    try:
        return msgspec.convert(value, wanted, strict=not lax)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        problems.append(FieldProblem(path, sentence(str(error))))
        return None


def _dict(
    value: dict[str, Any], wanted: Any, plain: inspect.DictType, path: str, problems: list[FieldProblem], lax: bool
) -> Any:
    """A mapping, each value on its own; then the mapping's own limits."""
    inner = _plain(plain.value_type, {})
    if isinstance(inner, inspect.StructType):
        if plain.max_length is not None and len(value) > plain.max_length:
            problems.append(FieldProblem(path, f"must have at most {plain.max_length} entries"))
            return None
        built = {}
        for key, item in value.items():
            try:
                name = msgspec.convert(key, _key_type(wanted))
            except msgspec.ValidationError as error:
                problems.append(FieldProblem(_join(path, key), "as a name: " + sentence(str(error))))
                continue
            built[name] = _struct(item, inner.cls, _join(path, key), problems, lax)
        return built
    before = len(problems)
    for key, item in value.items():
        try:
            msgspec.convert({key: item}, wanted, strict=not lax)
        except (msgspec.ValidationError, ValueError, OverflowError) as error:
            problems.append(FieldProblem(_join(path, key), sentence(str(error))))
    if len(problems) > before:
        return None
    try:
        return msgspec.convert(value, wanted, strict=not lax)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        problems.append(FieldProblem(path, sentence(str(error))))
        return None


def _key_type(wanted: Any) -> Any:
    """The declared type of a mapping's keys, out of `dict[K, V]`, unions and `Annotated`."""
    arguments: tuple[Any, ...] = getattr(wanted, "__args__", ())
    if getattr(wanted, "__origin__", None) is dict:
        return arguments[0]
    for argument in arguments:
        found = _key_type(argument)
        if found is not str:
            return found
    return str


def _plain(described: inspect.Type, value: Any) -> inspect.Type:
    """The member of a union that takes objects, without annotations; else the type itself."""
    if isinstance(described, inspect.Metadata):
        return _plain(described.type, value)
    if isinstance(described, inspect.UnionType) and isinstance(value, dict):
        for member in described.types:
            found = _plain(member, value)
            if isinstance(found, inspect.StructType | inspect.DictType):
                return found
    return described


def sentence(message: str) -> str:
    """A msgspec message without the place, which our path says better: `must be a string of length <= 255`."""
    text = message.split(" - at `")[0].replace("`", "")
    if "matching regex" in text:
        return "must be one line, not blank" if repr(LINE_PATTERN) in text else "does not have the required form"
    for technical, plain in (
        ("Expected ", "must be "),
        (", got ", ", not "),
        ("str", "a string"),
        ("int ", "a whole number "),
        ("float", "a number"),
        ("array", "a list"),
    ):
        text = text.replace(technical, plain, 1)
    return text


def _join(path: str, name: str) -> str:
    return f"{path}.{shown(name)}" if path else shown(name)
