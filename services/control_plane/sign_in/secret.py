"""The secret of an admin's row, as it is sealed."""

import msgspec


class AdminSecret(msgspec.Struct, frozen=True):
    """Plaintext of `Admin.sealed`."""

    bcrypt_hash: str

    def __repr__(self) -> str:
        return "AdminSecret(...)"


def sealed_admin_row(admin_id: str) -> str:
    """What the sealed secret's plaintext must name."""
    return f"admin:{admin_id}"
