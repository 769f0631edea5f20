"""What happens to the settings that admins store."""

from qg_telemetry.events.base import Event


class SettingsApplied(Event, frozen=True, kw_only=True):
    """What admins stored acts in this process from now on, as `key=value`; for other keys its environment holds."""

    stored: tuple[str, ...]
