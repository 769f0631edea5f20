"""The control plane's settings: read once from the environment, every problem reported together."""

from collections.abc import Mapping

from control_plane.sign_in.limits import FailureLimits
from control_plane.variables import VARIABLES
from qg_activation.fault_points import fault_points_from
from qg_core.client_address import Network
from qg_core.environment import SettingsInvalid
from qg_core.service_variables import ServiceSettings, read_service_settings
from qg_security.signing import Ed25519Signer

__all__ = ["VARIABLES", "Settings", "settings_from"]


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """Everything the control plane is told by its environment. Units are in the names."""

    database_url: str
    database_connections_max: int
    encryption_keys: tuple[str, ...]
    bundle_seal_keys: tuple[str, ...]
    bundle_signing_key: str
    bundle_verify_keys: tuple[str, ...]
    jwt_secret_keys: tuple[str, ...]
    admin_username: str
    admin_password_hash: str
    admin_token_expires_s: int
    sign_in_failures_window_s: int
    sign_in_failures_user_max: int
    sign_in_failures_address_max: int
    bcrypt_threads: int
    bcrypt_queue_max: int
    oracle_hosts_allowed: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    security_headers: bool
    cors_origins: tuple[str, ...]
    fault_point: str

    @property
    def failure_limits(self) -> FailureLimits:
        """The limits on failed sign-ins."""
        return FailureLimits(
            per_user_max=self.sign_in_failures_user_max,
            per_network_max=self.sign_in_failures_address_max,
            window_s=self.sign_in_failures_window_s,
        )


def settings_from(environ: Mapping[str, str]) -> Settings:
    """The settings of this process. Raises `SettingsInvalid` with every problem."""
    settings, problems = read_service_settings(Settings, VARIABLES, environ)
    problems.extend(_contradictions(environ, settings))
    if settings is None or problems:
        raise SettingsInvalid(problems)
    return settings


def _contradictions(environ: Mapping[str, str], settings: Settings | None) -> list[str]:
    """What is wrong with the control plane's own variables together."""
    found = []
    try:
        fault_points_from(environ)
    except ValueError as error:
        found.append(f"QG_FAULT_POINT: {error}")
    if settings is not None:
        own = Ed25519Signer(settings.bundle_signing_key).public_key
        if settings.bundle_verify_keys and own not in settings.bundle_verify_keys:
            found.append("BUNDLE_VERIFY_KEYS: must hold the public half of BUNDLE_SIGNING_KEY")
        if set(settings.encryption_keys) & set(settings.bundle_seal_keys):
            found.append("BUNDLE_SEAL_KEY: must differ from ENCRYPTION_KEY, which no other service may hold")
    return found
