"""Encoded snapshots in memory stay within their bytes; the least recently used leave."""

from hypothesis import given
from hypothesis import strategies as st

from data_plane.snapshots.memory import SnapshotMemory

LIMIT = 1_000


def test_the_least_recently_used_leaves() -> None:
    memory = SnapshotMemory(LIMIT)
    for name in "abcd":
        memory.put((name, "zstd"), bytes(125))
    assert memory.get(("a", "zstd")) is not None
    memory.put(("e", "zstd"), bytes(125))
    assert memory.get(("b", "zstd")) is None
    assert memory.get(("a", "zstd")) is not None
    memory.drop(("a", "zstd"))
    assert memory.get(("a", "zstd")) is None
    assert memory.used_bytes == 3 * 250


def test_what_is_too_large_is_handed_back_and_not_held() -> None:
    memory = SnapshotMemory(LIMIT)
    assert memory.put(("a", "zstd"), bytes(126)).pieces == (bytes(126),)
    assert (memory.get(("a", "zstd")), memory.used_bytes) == (None, 0)
    assert SnapshotMemory(0).put(("a", "zstd"), b"x").pieces == (b"x",)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 200), st.booleans()), max_size=60))
def test_it_stays_within_its_bytes(steps: list[tuple[str, int, bool]]) -> None:
    memory = SnapshotMemory(LIMIT)
    for name, size, drop in steps:
        if drop:
            memory.drop((name, "zstd"))
        else:
            memory.put((name, "zstd"), bytes(size))
        held = [memory.get((each, "zstd")) for each in "abcdef"]
        assert memory.used_bytes == sum(2 * item.size for item in held if item is not None) <= LIMIT
