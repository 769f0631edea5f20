"""The memory of verified credentials is bounded, keyed per process, and holds nothing that was presented."""

from qg_core.specs import MethodType
from qg_security.principals import Principal
from qg_security.verified_cache import NEVER, VerifiedCache, VerifiedEntry

ENTRY = VerifiedEntry(Principal(MethodType.BASIC, "m", "c", "erp"), "md", "cd", NEVER)


def test_the_least_recently_used_entry_goes_first() -> None:
    cache = VerifiedCache(entries_max=2)
    cache.put(b"a", ENTRY)
    cache.put(b"b", ENTRY)
    assert cache.get(b"a") is ENTRY
    cache.put(b"c", ENTRY)
    assert len(cache) == 2
    assert cache.get(b"b") is None
    assert cache.get(b"a") is ENTRY


def test_keys_differ_between_processes_methods_and_credentials() -> None:
    one, two = VerifiedCache(), VerifiedCache()

    def key(cache: VerifiedCache, method_id: str, presented: bytes) -> bytes:
        started = cache.keyed_hash(method_id)
        started.update(presented)
        return started.digest()

    assert key(one, "m", b"secret") == key(one, "m", b"secret")
    different = {key(one, "m", b"secret"), key(two, "m", b"secret"), key(one, "ms", b"ecret"), key(one, "m", b"secre")}
    assert len(different) == 4


def test_dropping_what_is_not_there_is_nothing() -> None:
    cache = VerifiedCache()
    cache.drop(b"a")
    cache.put(b"a", ENTRY)
    cache.drop(b"a")
    assert cache.get(b"a") is None
