"""The outcome of authenticating one request."""

import msgspec

from qg_core.specs import MethodType


class Principal(msgspec.Struct, frozen=True):
    """Who calls: one consumer, through one credential of one auth method."""

    method_type: MethodType
    auth_method_id: str
    credential_id: str
    consumer: str

    @property
    def tag(self) -> str:
        """`<auth method type>:<consumer>`: what logs call the user and what Oracle sees as the client identifier."""
        return f"{self.method_type.value}:{self.consumer}"
