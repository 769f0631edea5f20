"""The gate of the control plane: every path and every method needs a token, but three that are listed here.

It stands before the router, so a route can't be forgotten, and HEAD, OPTIONS, unknown paths and odd spellings of
paths need a token too.
"""

from control_plane.edge.visit import Visit
from control_plane.sign_in.service import SignIn
from qg_core.errors import CredentialInvalid, CredentialMissing

OPEN_ROUTES = frozenset(
    {
        ("POST", "/api/v1/auth/login"),
        ("GET", "/api/v1/admin/health/live"),
        ("GET", "/api/v1/admin/health/ready"),
    }
)

_SCHEME = b"bearer "


class SignInGate:
    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    async def admit(self, method: str, path: str, headers: list[tuple[bytes, bytes]], visit: Visit) -> None:
        """Set `visit.actor`. Raises `CredentialMissing`, `CredentialInvalid` or `CredentialExpired` (all 401)."""
        if (method, path.rstrip("/")) in OPEN_ROUTES:
            return
        presented = [value for name, value in headers if name == b"authorization"]
        if not presented or not presented[0].strip():
            raise CredentialMissing("Bearer token required.")
        if len(presented) > 1:
            raise CredentialInvalid
        if presented[0][: len(_SCHEME)].lower() != _SCHEME:
            raise CredentialMissing("Bearer token required.")
        visit.actor = await self._sign_in.recognise(presented[0][len(_SCHEME) :].strip(), visit)
