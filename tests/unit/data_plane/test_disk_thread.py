"""The thread that waits for the disk: one call after another, whatever one of them raises."""

import pytest

from data_plane.access_log.disk_thread import DiskThread


async def test_what_a_posted_call_raises_is_told_and_ends_nothing() -> None:
    told: list[Exception] = []
    disk = DiskThread("test", told.append)
    error = ValueError("nobody foresaw it")

    def fail() -> None:
        raise error

    disk.post(fail)
    assert await disk.run(lambda: 7) == 7
    assert told == [error]
    disk.close()


async def test_who_waits_gets_what_was_raised() -> None:
    told: list[Exception] = []
    disk = DiskThread("test", told.append)

    def fail() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await disk.run(fail)
    assert told == []
    disk.close()
