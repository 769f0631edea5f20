"""What was verified lately, so that a token, key or password costs its full price once and not per request.

An entry is found by a keyed digest of what was presented (the key is random and never leaves the process), so neither
tokens nor passwords are kept. It counts only while the digests of the auth method and of the credential that it was
verified under are still the current ones, and not past its expiry. Only successes are ever remembered.
"""

import hashlib
import secrets
from collections import OrderedDict

import msgspec

from qg_security.principals import Principal

ENTRIES_MAX = 20_000
KEY_BYTES = 32
NEVER = float("inf")


class VerifiedEntry(msgspec.Struct, frozen=True):
    """One remembered success; `expires_at` in Unix seconds, `NEVER` when nothing limits it."""

    principal: Principal
    method_digest: str
    credential_digest: str
    expires_at: float


class VerifiedCache:
    """At most `entries_max` entries, the least recently used one goes first. One per process, shared by catalogs."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._entries: OrderedDict[bytes, VerifiedEntry] = OrderedDict()
        self._key = secrets.token_bytes(KEY_BYTES)

    def __len__(self) -> int:
        return len(self._entries)

    def keyed_hash(self, method_id: str) -> "hashlib.blake2b":
        """The hash to copy and feed what was presented under this auth method."""
        started = hashlib.blake2b(key=self._key, digest_size=KEY_BYTES)
        name = method_id.encode()
        started.update(len(name).to_bytes(8, "big") + name)
        return started

    def get(self, key: bytes) -> VerifiedEntry | None:
        """The entry, which is now the most recently used one."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: bytes, entry: VerifiedEntry) -> None:
        """Remember a success."""
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    def drop(self, key: bytes) -> None:
        """Forget one entry, if it is there."""
        self._entries.pop(key, None)
