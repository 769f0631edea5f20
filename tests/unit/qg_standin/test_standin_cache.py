"""The bounded cache of encoded results."""

from qg_standin.cache import EncodedBuilder, EncodedRows, ResultCache


def _rows(count: int, size: int = 100) -> EncodedRows:
    builder = EncodedBuilder()
    for _ in range(count):
        builder.add([b"x" * size])
    return builder.build()


def _cache(bytes_max: int = 100_000) -> ResultCache:
    return ResultCache(bytes_max=bytes_max, entry_bytes_max=20_000, entries_max=50)


def test_slices_follow_the_rows() -> None:
    builder = EncodedBuilder()
    builder.add([b"a", b"bb"])
    builder.add([])
    builder.add([b"ccc"])
    rows = builder.build()
    assert rows.count == 3
    assert (rows.slice(0, 3), rows.slice(1, 2), rows.slice(1, 3), rows.slice(2, 2)) == (b"abbccc", b"bb", b"bbccc", b"")


def test_a_commit_empties_it_and_late_results_are_refused() -> None:
    cache = _cache()
    generation = cache.generation
    cache.put("a", _rows(1), generation)
    assert cache.get("a") is not None
    cache.clear()
    assert cache.get("a") is None
    cache.put("a", _rows(1), generation)
    assert cache.get("a") is None


def test_it_stays_within_its_bounds() -> None:
    cache = _cache()
    for key in range(200):
        cache.put(key, _rows(20), 0)
    kept = [key for key in range(200) if cache.get(key) is not None]
    assert kept == list(range(200 - len(kept), 200))
    assert sum(_rows(20).cost_bytes for _ in kept) <= 100_000
    cache.put("large", _rows(500), 0)
    assert cache.get("large") is None
