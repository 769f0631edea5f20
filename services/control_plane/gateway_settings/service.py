"""Reading and storing settings; what is stored is published in the same transaction."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import msgspec

from control_plane.actors import Actor
from control_plane.input.json_text import shown
from control_plane.publishing.service import Publishing
from qg_core.errors import FieldProblem, InvalidInput, NotFound
from qg_core.gateway_settings import GATEWAY_SETTINGS, SettingValue, written
from qg_core.specs import SETTINGS_ID, SpecKind
from qg_store.engine import SessionFactory
from qg_store.models import StoredSetting
from qg_store.repositories import settings

Wanted = Mapping[str, object]
"""Key -> value as it was in JSON; null to take the stored one away."""


class SettingState(msgspec.Struct, frozen=True, kw_only=True):
    """One setting: the stored value, and this control plane's own (from its environment); null where there is none."""

    key: str
    stored: SettingValue | None
    own: SettingValue | None
    updated_at: datetime | None
    updated_by: str | None

    @property
    def value(self) -> SettingValue:
        """The stored value, else the own one, else the default."""
        if self.stored is not None:
            return self.stored
        return GATEWAY_SETTINGS[self.key].default if self.own is None else self.own


class GatewaySettings:
    """`own` are the values of this process' environment; `on_committed` lets a change act here at once."""

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        publishing: Publishing,
        own: Mapping[str, SettingValue],
        on_committed: Callable[[], Awaitable[None]],
    ) -> None:
        self._sessions = sessions
        self._publishing = publishing
        self._own = own
        self._on_committed = on_committed

    async def every(self) -> list[SettingState]:
        """Every known setting, stored or not."""
        async with self._sessions() as session:
            rows = {row.key: row for row in await settings.every(session)}
        return [self._state(key, rows.get(key)) for key in GATEWAY_SETTINGS]

    async def one(self, key: str) -> SettingState:
        """One known setting. Raises `NotFound`."""
        _check_known(key)
        async with self._sessions() as session:
            return self._state(key, await settings.by_key(session, key))

    async def put_one(self, key: str, value: object, actor: Actor) -> tuple[SettingState, int]:
        """Store one value (null: take it away) and publish. Raises `NotFound`, `InvalidInput`."""
        _check_known(key)
        revision = await self._put({key: _read(key, value, "value")}, actor)
        return await self.one(key), revision

    async def put(self, wanted: Wanted, actor: Actor) -> tuple[list[SettingState], int]:
        """Store all values or none. Raises `InvalidInput` with every problem, unknown keys among them."""
        values: dict[str, SettingValue | None] = {}
        problems: list[FieldProblem] = []
        for key, value in wanted.items():
            field = f"settings.{shown(key)}"
            if key not in GATEWAY_SETTINGS:
                problems.append(FieldProblem(field, f"is none of {', '.join(GATEWAY_SETTINGS)}"))
                continue
            try:
                values[key] = _read(key, value, field)
            except InvalidInput as error:
                problems.extend(error.problems)
        if problems:
            raise InvalidInput(problems)
        revision = await self._put(values, actor)
        return await self.every(), revision

    async def _put(self, values: Mapping[str, SettingValue | None], actor: Actor) -> int:
        async with self._publishing.change(actor) as change:
            rows = {row.key: row for row in await settings.every(change.session)}
            for key, value in values.items():
                before = rows.get(key)
                if value is None and before is not None:
                    await settings.forget(change.session, key)
                    change.audit("reset", "setting", key, f"took the stored {key} away")
                elif value is not None and (before is None or _in_json(value) != before.value):
                    await settings.put(change.session, key, _in_json(value), actor.username)
                    change.audit("update", "setting", key, f"set {key} to {written(value) or 'nothing'}")
            if change.audit_lines:
                change.touch(SpecKind.SETTINGS, SETTINGS_ID)
        if change.audit_lines:
            await self._on_committed()
        return change.revision

    def _state(self, key: str, row: StoredSetting | None) -> SettingState:
        return SettingState(
            key=key,
            stored=None if row is None else _from_json(row.value),
            own=self._own.get(key),
            updated_at=None if row is None else row.updated_at,
            updated_by=None if row is None else row.updated_by,
        )


def _check_known(key: str) -> None:
    if key not in GATEWAY_SETTINGS:
        raise NotFound("There is no such setting.")


def _read(key: str, value: object, field: str) -> SettingValue | None:
    if value is None:
        return None
    try:
        return GATEWAY_SETTINGS[key].read(value)
    except ValueError as error:
        raise InvalidInput([FieldProblem(field, str(error))]) from None


def _in_json(value: SettingValue) -> str | int | list[str]:
    return list(value) if isinstance(value, tuple) else value


def _from_json(value: str | int | list[str]) -> SettingValue:
    return tuple(value) if isinstance(value, list) else value
