"""Signed bytes as they are stored."""

import msgspec


class SealedRow(msgspec.Struct, frozen=True):
    """The signed bytes of one delta or checkpoint."""

    revision: int
    body: bytes
