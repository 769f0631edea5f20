"""The compiled binder of an endpoint: query string in, values of the declared types out, every problem at once.

Names of query parameters are matched without regard to (ASCII) case, as Oracle matches binds; they are stored and
reported in lower case, so `?ID=1&id=2` is a repeated parameter.
"""

import re
from collections.abc import Mapping

from qg_core.converters import BindValue, Converter, base_converter, declared_text
from qg_core.errors import FieldProblem, InvalidInput
from qg_core.parameters import TEXT_LENGTH_MAX, Parameter, ParameterType
from qg_core.patterns import check_pattern
from qg_core.query_text import NAME_SHOWN_MAX, SEGMENTS_MAX, decode_component, name_shown, split_segments

__all__ = ["BindValue", "Binder", "compile_binder", "parameter_problems"]

_ORDERED = frozenset(
    {ParameterType.INTEGER, ParameterType.FLOAT, ParameterType.DECIMAL, ParameterType.DATE, ParameterType.DATETIME}
)


class Binder:
    """Converts the query string of one endpoint; made by `compile_binder`, immutable, shared by all requests."""

    __slots__ = ("_converters", "_defaults", "_required_count")

    def __init__(self, converters: dict[str, Converter], defaults: dict[str, BindValue]) -> None:
        self._converters = converters
        self._defaults = defaults
        self._required_count = len(converters) - len(defaults)

    def bind(self, query_string: bytes) -> dict[str, BindValue]:
        """One value for every declared parameter.

        Raises `InvalidInput` naming every parameter that is wrong, missing, repeated or unknown.
        """
        if not query_string and not self._required_count:
            return self._defaults.copy()
        values: dict[str, BindValue] = {}
        converters = self._converters
        # The common case in one pass: nothing wrong, every name spelled as stored. Whatever else comes goes to
        # `_collect`, which starts again and says all that is wrong.
        try:
            for segment in query_string.decode("ascii").split("&"):
                name, _, value = segment.partition("=")
                if "%" in value or "+" in value:
                    value = decode_component(value)
                if name in values:
                    return self._collect(query_string)
                values[name] = converters[name](value)
        except (KeyError, ValueError):
            return self._collect(query_string)
        if len(values) != len(converters):
            values = {**self._defaults, **values}
            if len(values) != len(converters):
                return self._collect(query_string)
        return values

    def defaults_only(self) -> dict[str, BindValue] | None:
        """The values when nothing may be sent (snapshots), or None when a parameter has no default."""
        return None if self._required_count else self._defaults.copy()

    def _collect(self, query_string: bytes) -> dict[str, BindValue]:
        pairs = split_segments(query_string.decode("latin-1"))
        if len(pairs) > SEGMENTS_MAX:
            raise InvalidInput([FieldProblem("query", f"must have at most {SEGMENTS_MAX} parameters")])
        problems: list[FieldProblem] = []
        given: dict[str, list[str]] = {}
        for raw_name, raw_value in pairs:
            try:
                name = decode_component(raw_name)
            except ValueError as error:
                problems.append(FieldProblem(name_shown(raw_name), f"the name of the parameter {error}"))
                continue
            name = name.lower() if name.isascii() else name
            given.setdefault(name, []).append(raw_value)
        values = self._convert_given(given, problems)
        missing = [name for name in self._converters if name not in given and name not in self._defaults]
        problems.extend(FieldProblem(name, "is required") for name in missing)
        if problems:
            raise InvalidInput(problems)
        return {**self._defaults, **values}

    def _convert_given(self, given: dict[str, list[str]], problems: list[FieldProblem]) -> dict[str, BindValue]:
        values: dict[str, BindValue] = {}
        for name, raw_values in given.items():
            converter = self._converters.get(name)
            if converter is None:
                problems.append(FieldProblem(name[:NAME_SHOWN_MAX], "is not a parameter of this endpoint"))
            elif len(raw_values) > 1:
                problems.append(FieldProblem(name, "was given more than once"))
            else:
                try:
                    values[name] = converter(decode_component(raw_values[0]))
                except ValueError as error:
                    problems.append(FieldProblem(name, str(error)))
        return values


def compile_binder(parameters: Mapping[str, Parameter]) -> Binder:
    """The binder of declared parameters (names in lower case).

    Raises `InvalidInput` with every contradiction of the declaration itself; fields are `<name>.<field>`.
    """
    problems: list[FieldProblem] = []
    converters: dict[str, Converter] = {}
    defaults: dict[str, BindValue] = {}
    for name, parameter in parameters.items():
        compiled = _Compilation(name, parameter, problems)
        converters[name] = compiled.converter
        if compiled.default is not None:
            defaults[name] = compiled.default
    if problems:
        raise InvalidInput(problems)
    return Binder(converters, defaults)


def parameter_problems(parameters: Mapping[str, Parameter]) -> tuple[FieldProblem, ...]:
    """What is wrong with a declaration, fields as `<name>.<field>`; empty when it compiles."""
    try:
        compile_binder(parameters)
    except InvalidInput as error:
        return error.problems
    return ()


class _Compilation:
    """One parameter on its way to a converter; collects what contradicts itself."""

    def __init__(self, name: str, parameter: Parameter, problems: list[FieldProblem]) -> None:
        self._name = name
        self._parameter = parameter
        self._problems = problems
        if not 1 <= parameter.max_length <= TEXT_LENGTH_MAX:
            self._add("max_length", f"must be from 1 to {TEXT_LENGTH_MAX}")
        self._base = base_converter(parameter)
        self._minimum = self._bound("minimum", parameter.minimum)
        self._maximum = self._bound("maximum", parameter.maximum)
        self._enum = self._enum_values()
        self._pattern = self._compiled_pattern()
        if self._minimum is not None and self._maximum is not None and self._minimum > self._maximum:  # type: ignore[operator]  # both are of the declared type
            self._add("maximum", "must not be smaller than minimum")
        self.converter = self._limited()
        self.default = self._default_value()

    def _add(self, field: str, message: str) -> None:
        self._problems.append(FieldProblem(f"{self._name}.{field}", message))

    def _bound(self, field: str, value: str | int | float | None) -> BindValue | None:
        if value is None:
            return None
        if self._parameter.type not in _ORDERED:
            self._add(field, f"does not apply to the type {self._parameter.type.value}")
            return None
        return self._declared(field, value, self._base)

    def _declared(self, field: str, value: str | int | float | bool, convert: Converter) -> BindValue | None:
        if self._parameter.type is ParameterType.STRING and not isinstance(value, str):
            self._add(field, "must be text")
            return None
        if isinstance(value, bool) and self._parameter.type is not ParameterType.BOOLEAN:
            self._add(field, f"must be of the type {self._parameter.type.value}")
            return None
        try:
            return convert(declared_text(value))
        except ValueError as error:
            self._add(field, str(error))
            return None

    def _enum_values(self) -> frozenset[BindValue] | None:
        if self._parameter.enum is None:
            return None
        if not self._parameter.enum:
            self._add("enum", "must not be empty")
        found = [self._declared("enum", value, self._base) for value in self._parameter.enum]
        return frozenset(value for value in found if value is not None)

    def _compiled_pattern(self) -> re.Pattern[str] | None:
        if self._parameter.pattern is None:
            return None
        if self._parameter.type is not ParameterType.STRING:
            self._add("pattern", f"does not apply to the type {self._parameter.type.value}")
            return None
        try:
            return check_pattern(self._parameter.pattern, self._parameter.max_length)
        except ValueError as error:
            self._add("pattern", str(error))
            return None

    def _limited(self) -> Converter:
        """The base converter with the declared limits around it; without limits the base one itself."""
        convert = self._base
        if self._minimum is not None or self._maximum is not None:
            convert = _within(convert, self._minimum, self._maximum, self._parameter)
        if self._enum is not None:
            convert = _one_of(convert, self._enum, self._parameter)
        if self._pattern is not None:
            convert = _matching(convert, self._pattern)
        return convert

    def _default_value(self) -> BindValue | None:
        if self._parameter.default is None:
            if not self._parameter.required:
                self._add("default", "an optional parameter needs a default")
            return None
        value = self._declared("default", self._parameter.default, self.converter)
        return None if self._parameter.required else value


def _within(
    convert: Converter, minimum: BindValue | None, maximum: BindValue | None, parameter: Parameter
) -> Converter:
    def checked(text: str) -> BindValue:
        value = convert(text)
        if minimum is not None and value < minimum:  # type: ignore[operator]  # both are of the declared type
            raise ValueError(f"must be at least {parameter.minimum}")
        if maximum is not None and value > maximum:  # type: ignore[operator]  # both are of the declared type
            raise ValueError(f"must be at most {parameter.maximum}")
        return value

    return checked


def _one_of(convert: Converter, allowed: frozenset[BindValue], parameter: Parameter) -> Converter:
    shown = ", ".join(str(value) for value in (parameter.enum or ())[:20])
    if len(allowed) > 20:
        shown += ", ..."

    def checked(text: str) -> BindValue:
        value = convert(text)
        if value not in allowed:
            raise ValueError(f"must be one of {shown}")
        return value

    return checked


def _matching(convert: Converter, pattern: re.Pattern[str]) -> Converter:
    def checked(text: str) -> BindValue:
        # The length limit of `convert` comes first: it bounds what the expression has to read.
        value = convert(text)
        if pattern.fullmatch(text) is None:
            raise ValueError("does not have the required form")
        return value

    return checked
