"""bcrypt: right answers, equal work, a bounded queue, and places that come free again."""

import asyncio
import os
import sys
import threading
import time

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qg_core.errors import SignInBusy
from qg_security import passwords
from qg_security.passwords import PasswordChecker, hash_password, is_bcrypt_hash, matches

UNKNOWN_HASH = passwords._UNKNOWN_HASH
"""The real one, from before the fixture made it cheap."""


def quick_hash(plain: bytes, cost: int = 4) -> str:
    return bcrypt.hashpw(plain, bcrypt.gensalt(cost)).decode()


def test_hash_password_makes_a_hash_of_cost_12_that_matches() -> None:
    hashed = hash_password("sécret: with colon")
    assert hashed.startswith("$2b$12$")
    assert is_bcrypt_hash(hashed)
    assert matches("sécret: with colon".encode(), hashed)
    assert not matches(b"secret: with colon", hashed)


@pytest.mark.parametrize("plain", ["", "x" * 73, "ä" * 37, "a\0b", "a\nb", "a\x7f"])
def test_hash_password_refuses_what_could_not_be_used(plain: str) -> None:
    with pytest.raises(ValueError, match="password"):
        hash_password(plain)


@pytest.mark.parametrize(
    "plain",
    [b"", b"x" * 73, b"x" * 100_000, b"right\0", b"right\0more", b"wrong"],
)
def test_what_is_not_the_password_does_not_match(plain: bytes) -> None:
    assert not matches(plain, quick_hash(b"right"))


def test_a_password_of_72_bytes_is_compared_to_its_last_byte() -> None:
    assert matches(b"x" * 72, quick_hash(b"x" * 72))
    assert not matches(b"x" * 71 + b"y", quick_hash(b"x" * 72))
    assert not matches(b"x" * 73, quick_hash(b"x" * 72))


@pytest.mark.parametrize(
    "hashed",
    ["", "plain", "$2b$31$" + "a" * 53, "$2b$12$short", "$2b$04$" + "ä" * 53, "$2b$99$" + "." * 53, "$1$abc", "\0"],
)
def test_a_malformed_or_unaffordable_hash_never_matches(hashed: str) -> None:
    assert not is_bcrypt_hash(hashed)
    assert not matches(b"?", hashed)


@settings(max_examples=15)
@given(st.text(alphabet="./AZaz09", min_size=53, max_size=53), st.binary(max_size=80))
def test_matches_never_raises(rest: str, plain: bytes) -> None:
    assert matches(plain, "$2b$04$" + rest) in (True, False)


def test_an_unknown_user_costs_what_a_wrong_password_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_UNKNOWN_HASH", UNKNOWN_HASH)
    hashed = hash_password("right")

    def cost(bcrypt_hash: str) -> float:
        started = time.thread_time()
        assert not matches(b"wrong", bcrypt_hash)
        return time.thread_time() - started

    wrong = min(cost(hashed) for _ in range(2))
    unknown = min(cost("") for _ in range(2))
    assert 0.7 < wrong / unknown < 1.4


async def test_checks_run_off_the_loop() -> None:
    checker = PasswordChecker(threads=1)
    hashed = quick_hash(b"right", 10)
    checking = asyncio.create_task(checker.check(b"right", hashed))
    turns = 0
    while not checking.done():
        await asyncio.sleep(0)
        turns += 1
    assert await checking
    assert turns > 10
    checker.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority per thread")
async def test_threads_that_check_give_way_to_the_loop() -> None:
    checker = PasswordChecker(threads=1)
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    found = await asyncio.get_running_loop().run_in_executor(
        checker._threads, lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    )
    assert found == max(own, 10)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
    checker.close()


async def test_a_full_queue_is_said_to_be_full() -> None:
    checker = PasswordChecker(threads=1, queued_max=2)
    hashed = quick_hash(b"right", 8)
    checks = [asyncio.create_task(checker.check(b"right", hashed)) for _ in range(3)]
    await asyncio.sleep(0)
    assert checker.queued == 2
    with pytest.raises(SignInBusy) as busy:
        await checker.burn(b"anything")
    assert busy.value.headers["Retry-After"] == "1"
    assert await asyncio.gather(*checks) == [True, True, True]
    assert checker.queued == 0
    checker.close()


async def test_who_goes_away_frees_the_place() -> None:
    checker = PasswordChecker(threads=1, queued_max=1)
    hashed = quick_hash(b"right", 8)
    running = asyncio.create_task(checker.check(b"right", hashed))
    waiting = asyncio.create_task(checker.check(b"right", hashed))
    await asyncio.sleep(0)
    assert checker.queued == 1
    waiting.cancel()
    await asyncio.sleep(0)
    assert checker.queued == 0
    assert await checker.check(b"right", hashed)
    assert await running
    checker.close()


async def test_a_caller_that_left_while_its_check_ran_blocks_nobody() -> None:
    checker = PasswordChecker(threads=1, queued_max=4)
    hashed = quick_hash(b"right", 8)
    for _ in range(3):
        leaving = asyncio.create_task(checker.check(b"right", hashed))
        await asyncio.sleep(0)
        leaving.cancel()
    assert await asyncio.wait_for(checker.check(b"right", hashed), 10)
    checker.close()
