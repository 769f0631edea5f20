"""All pools of a process: one per distinct target, made on first use, kept while a catalog needs it."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable

from qg_core.errors import DatabaseBusy
from qg_oracle.deadlines import Deadline
from qg_oracle.events import Observe, OracleEvent, PoolOpened, unobserved
from qg_oracle.pool import Pool, PoolStatistics
from qg_oracle.targets import ConnectionTarget, fingerprint

POOLS_MAX = 500
"""Pools of one process, retired ones that still hold sessions included."""

TEND_EVERY_S = 15.0


_logger = logging.getLogger(__name__)


def _harmless(observe: Observe) -> Observe:
    """An observer that fails must not keep a session from being given back or cancelled."""

    def tell(event: OracleEvent) -> None:
        try:
            observe(event)
        except Exception:
            _logger.exception("an observer failed on %s", type(event).__name__)

    return tell


class Pools:
    """Hands out the pool of a target; retires those that no catalog names any more."""

    def __init__(
        self,
        observe: Observe = unobserved,
        *,
        hosts_allowed: tuple[str, ...] = (),
        pools_max: int = POOLS_MAX,
    ) -> None:
        self._observe = _harmless(observe)
        self._hosts_allowed = hosts_allowed
        self._pools_max = pools_max
        self._key = secrets.token_bytes(32)
        self._by_target: dict[ConnectionTarget, Pool] = {}
        self._current: dict[str, Pool] = {}
        self._tending: asyncio.Task[None] | None = None

    def fingerprint(self, target: ConnectionTarget) -> str:
        """Names the pool that `target` gets here; differs from process to process."""
        return fingerprint(target, self._key)

    def get(self, target: ConnectionTarget) -> Pool:
        """The pool of a target; must be called on the event loop that will use it.

        A pool with the same connection id and another target is retired: the new one opens sessions as the old one
        gives them up, so that both together stay within `pool_max`. Raises `DatabaseBusy` at `pools_max`.
        """
        pool = self._by_target.get(target)
        return pool if pool is not None and not pool.closed else self._open(target)

    def retire(self, fingerprints_in_use: Iterable[str]) -> None:
        """Retire every pool that is not in use. Running calls end undisturbed; free sessions close at once."""
        kept = set(fingerprints_in_use)
        for pool in list(self._by_target.values()):
            if pool.fingerprint not in kept:
                pool.retire()

    def statistics(self) -> list[PoolStatistics]:
        return [pool.statistics() for pool in self._by_target.values()]

    @property
    def busy(self) -> int:
        """Sessions in use, abandoned calls included."""
        return sum(pool.busy for pool in self._by_target.values())

    async def close(self, grace_s: float = 10.0) -> None:
        """Retire all pools and wait at most `grace_s` for running calls; then cancel them and close what is left."""
        if self._tending is not None:
            self._tending.cancel()
            self._tending = None
        pools = list(self._by_target.values())
        for pool in pools:
            pool.retire()
        deadline = Deadline.after_ms(int(grace_s * 1000))
        for pool in pools:
            await pool.drained(deadline.left_s())
        for pool in pools:
            pool.stop_calls()
        await asyncio.gather(*(pool.drained(10.0) for pool in pools))

    def _open(self, target: ConnectionTarget) -> Pool:
        if len(self._by_target) >= self._pools_max:
            raise DatabaseBusy("This node serves too many database connections.", retry_after_s=60)
        predecessor = self._current.get(target.connection_id)
        pool = Pool(
            target,
            self.fingerprint(target),
            observe=self._observe,
            hosts_allowed=self._hosts_allowed,
            on_closed=self._forget(target),
            predecessor=predecessor,
        )
        self._by_target[target] = pool
        self._current[target.connection_id] = pool
        if predecessor is not None:
            predecessor.retire()
        if self._tending is None:
            self._tending = asyncio.get_running_loop().create_task(self._tend())
        self._observe(PoolOpened(connection_id=target.connection_id, pool=pool.fingerprint, pool_max=target.pool_max))
        pool.fill()
        return pool

    def _forget(self, target: ConnectionTarget) -> Callable[[Pool], None]:
        def forget(pool: Pool) -> None:
            if self._by_target.get(target) is pool:
                del self._by_target[target]
            if self._current.get(target.connection_id) is pool:
                del self._current[target.connection_id]

        return forget

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_EVERY_S)
            for pool in list(self._by_target.values()):
                pool.tend()
