"""One node in a process of its own, for `catalog_build`: says on standard output what it cost and when it swapped.

Environment: REDIS_URL, STATE_DIR, VERIFY_KEY, SEAL_KEY. Lines are `<what> <number>`; it ends with its standard input.
"""

import asyncio
import gc
import os
import sys
import time
from pathlib import Path

from data_plane.catalogs.catalog import Catalog, CatalogBuilder
from data_plane.refreshing.memory import Memory
from data_plane.refreshing.refresh import Refresher
from data_plane.refreshing.staleness import Staleness
from data_plane.refreshing.state_file import StateFile
from qg_bundle.link import open_link
from qg_security.authenticators import AuthParts
from qg_security.passwords import PasswordChecker
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Verifier
from qg_security.verified_cache import VerifiedCache
from tests.integration.publishing.rig import GATEWAY


class Pauses:
    """The longest time that the event loop was not available, in milliseconds."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0)
            self.longest_ms = max(self.longest_ms, (time.perf_counter() - started) * 1_000)
            await asyncio.sleep(0.0005)

    def take(self) -> float:
        """The longest since the last call."""
        longest_ms, self.longest_ms = self.longest_ms, 0.0
        return longest_ms


def say(what: str, number: float) -> None:
    """One line, at once."""
    print(what, f"{number:.6f}", flush=True)


def swapped(catalog: Catalog) -> None:
    """When a revision began to be served, on the clock that all processes share."""
    say(f"revision-{catalog.revision}", time.time())


def resident_mib() -> float:
    """This process' resident memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576


async def run() -> None:
    """Boot, follow, and end with standard input."""
    builder = CatalogBuilder(
        Sealer([os.environ["SEAL_KEY"]]), AuthParts(PasswordChecker(threads=1), VerifiedCache(1_000))
    )
    refresher = Refresher(
        redis=open_link(os.environ["REDIS_URL"]),
        gateway_id=GATEWAY,
        verifier=Ed25519Verifier([os.environ["VERIFY_KEY"]]),
        builder=builder,
        memory=Memory(StateFile(Path(os.environ["STATE_DIR"]), GATEWAY), lambda _: None),
        staleness=Staleness(None),
        observe=lambda _: None,
        on_swap=swapped,
    )
    gc.collect()
    before_mib = resident_mib()
    pauses = Pauses()
    started, started_cpu = time.perf_counter(), time.process_time()
    await refresher.boot()
    say("boot_s", time.perf_counter() - started)
    say("boot_cpu_s", time.process_time() - started_cpu)
    await asyncio.sleep(0.01)
    say("boot_pause_ms", pauses.take())
    say("boot_slice_ms", builder.slice_longest_s * 1_000)
    gc.collect()
    say("memory_mib", resident_mib() - before_mib)
    refresher.start()
    await asyncio.sleep(1)
    pauses.take()
    started_cpu = time.process_time()
    say("following", refresher.revision)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    say("edits_pause_ms", pauses.take())
    say("edits_slice_ms", builder.slice_longest_s * 1_000)
    say("edits_cpu_s", time.process_time() - started_cpu)
    await refresher.close()


if __name__ == "__main__":
    asyncio.run(run())
