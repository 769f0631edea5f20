"""What the settings routes read and answer."""

import enum
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from control_plane.gateway_settings.service import SettingState
from qg_core.gateway_settings import CORS_ORIGINS_MAX, GATEWAY_SETTINGS, SettingValue
from qg_core.web_origins import ORIGIN_LENGTH_MAX

KEY_LENGTH_MAX = 64
_KEYS_MAX = 100

Key = Annotated[str, Meta(min_length=1, max_length=KEY_LENGTH_MAX)]
_Text = Annotated[str, Meta(max_length=64)]
_Origin = Annotated[str, Meta(max_length=ORIGIN_LENGTH_MAX)]
_Origins = Annotated[list[_Origin], Meta(max_length=CORS_ORIGINS_MAX)]
WantedValue = Annotated[
    _Text | int | _Origins | None,
    Meta(description="Null takes the stored value away: the environment's holds again."),
]


class SettingUpdate(Struct, frozen=True, kw_only=True):
    value: WantedValue


class SettingsUpdate(Struct, frozen=True, kw_only=True):
    """All are taken or none; a key that is left out stays as it is."""

    settings: Annotated[dict[Key, WantedValue], Meta(max_length=_KEYS_MAX)]


class Source(enum.StrEnum):
    """Where the shown value comes from."""

    STORED = "stored"
    ENVIRONMENT = "environment"
    DEFAULT = "default"


class SettingView(Struct, frozen=True, kw_only=True):
    """`value` is the stored one; else that of this control plane's environment, where it has the variable; else the
    default, which the environment of another service may override. `updated_at` and `updated_by` are null then."""

    key: str
    value: str | int | list[str]
    source: Source
    description: str
    is_secret: bool
    updated_at: datetime | None
    updated_by: str | None


def setting_view(state: SettingState) -> SettingView:
    """What is shown of a setting."""
    stored = state.stored is not None
    own = state.own is not None
    return SettingView(
        key=state.key,
        value=_json_value(state.value),
        source=Source.STORED if stored else Source.ENVIRONMENT if own else Source.DEFAULT,
        description=GATEWAY_SETTINGS[state.key].description,
        is_secret=False,
        updated_at=state.updated_at,
        updated_by=state.updated_by,
    )


def _json_value(value: SettingValue) -> str | int | list[str]:
    return list(value) if isinstance(value, tuple) else value
