"""Password hashing with bcrypt, and checks that neither block the event loop nor queue without bound.

One check costs about a quarter of a second of CPU on purpose. Checks run in a few threads of low priority; whoever
finds the queue full is told so at once (`SignInBusy`), and whoever goes away while waiting frees the place.
"""

import asyncio
import contextlib
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from qg_core.errors import SignInBusy

BCRYPT_COST = 12
COST_MAX = 15
"""A hash that asks for more work than this (2 s) is treated as malformed: it would occupy a thread for minutes."""

PASSWORD_BYTES_MAX = 72
"""bcrypt reads no more than this; longer passwords are refused rather than cut."""

ADMIN_PASSWORD_CHARACTERS_MIN = 8
"""What an admin's password should have at least; consumers' are the admins' to choose."""

CHECKS_QUEUED_MAX = 64

_BCRYPT_FORM = re.compile(r"\$2[aby]\$(0[4-9]|1[0-9]|2[0-9]|3[01])\$[./A-Za-z0-9]{53}\Z")

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

_UNKNOWN_HASH = b"$2b$12$2EXtCrCamwl2p0PKb.Vs8e4xeMquz9A9VqXAov0pATz0m9BiIbZae"
"""The hash of a random text that nobody kept, of `BCRYPT_COST`: compared with when there is nothing to compare with."""


def hash_password(plain: str) -> str:
    """The bcrypt hash of `plain`.

    Raises `ValueError` when it is empty, has more than 72 bytes in UTF-8, or holds control characters, which HTTP Basic
    could not send.
    """
    encoded = plain.encode()
    if not encoded:
        raise ValueError("a password must not be empty")
    if len(encoded) > PASSWORD_BYTES_MAX:
        raise ValueError(f"a password must have at most {PASSWORD_BYTES_MAX} bytes, not {len(encoded)}")
    if _CONTROLS.search(plain):
        raise ValueError("a password must not hold control characters")
    return bcrypt.hashpw(encoded, bcrypt.gensalt(BCRYPT_COST)).decode("ascii")


def is_bcrypt_hash(text: str) -> bool:
    """Whether `text` has the form of a bcrypt hash whose cost is one that the gateway is willing to pay."""
    found = _BCRYPT_FORM.match(text)
    return found is not None and int(found.group(1)) <= COST_MAX


def check_threads_default() -> int:
    """1 thread on up to two cores, so that a flood of sign-ins leaves one to everything else; 2 on more."""
    return 1 if (os.cpu_count() or 1) <= 2 else 2


class PasswordChecker:
    """Runs bcrypt in `threads` threads; at most `queued_max` checks wait for one."""

    def __init__(self, *, threads: int | None = None, queued_max: int = CHECKS_QUEUED_MAX) -> None:
        threads = threads if threads is not None else check_threads_default()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="bcrypt", initializer=_lower_priority)
        self._free = asyncio.Semaphore(threads)
        self._queued_max = queued_max
        self._queued = 0

    @property
    def queued(self) -> int:
        """How many checks wait for a thread now."""
        return self._queued

    async def check(self, plain: bytes, bcrypt_hash: str) -> bool:
        """Whether `plain` is the password of `bcrypt_hash`; a malformed hash is False after the same work.

        Raises `SignInBusy` when the queue is full.
        """
        if self._queued >= self._queued_max:
            raise SignInBusy(retry_after_s=1)
        self._queued += 1
        try:
            await self._free.acquire()
        finally:
            self._queued -= 1
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, matches, plain, bcrypt_hash)
        except BaseException:
            self._free.release()
            raise
        # The thread can't be stopped: its place is free when it is done, not when the caller stops waiting.
        running.add_done_callback(lambda _: self._free.release())
        return await asyncio.shield(running)

    async def burn(self, plain: bytes) -> None:
        """Do the work of a check for a user that doesn't exist. Raises `SignInBusy` as `check` does."""
        await self.check(plain, "")

    def close(self) -> None:
        """Stop taking checks; those that run end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def matches(plain: bytes, bcrypt_hash: str) -> bool:
    """Compare in the calling thread. Never raises; every outcome costs one bcrypt."""
    comparable = 0 < len(plain) <= PASSWORD_BYTES_MAX and b"\0" not in plain
    known = is_bcrypt_hash(bcrypt_hash)
    candidate = plain if comparable else b"?"
    hashed = bcrypt_hash.encode("ascii") if known else _UNKNOWN_HASH
    try:
        equal = bcrypt.checkpw(candidate, hashed)
    except ValueError:  # right in form, but no valid salt: bcrypt says so before it works
        bcrypt.checkpw(candidate, _UNKNOWN_HASH)
        return False
    return equal and known and comparable


def _lower_priority() -> None:
    """Let the event loop's thread go first where checks and requests compete for a core (Linux has per-thread nice)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
