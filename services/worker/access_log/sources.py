"""How far logs are stored, between the rows of Postgres and the arithmetic of `progress`."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.repositories import access_sources
from qg_store.repositories.access_sources import SourceState
from worker.access_log.progress import Progress
from worker.access_log.spans import Span, union


async def lock(session: AsyncSession, nodes: Mapping[str, str]) -> dict[str, Progress]:
    """What is known of these logs (log id -> node), locked until the transaction ends; new ones are begun."""
    states = await access_sources.lock(session, nodes)
    return {log_id: _progress(state) for log_id, state in states.items()}


async def save(session: AsyncSession, nodes: Mapping[str, str], progress: Mapping[str, Progress]) -> None:
    """Write what is known of these locked logs now (log id -> progress)."""
    await access_sources.save(session, nodes, {log_id: _state(known) for log_id, known in progress.items()})


def _progress(state: SourceState) -> Progress:
    settled = union(Span(first, last) for first, last in state.stored)
    return Progress(settled=settled, base=state.base, persisted=state.persisted, lost=state.lost)


def _state(known: Progress) -> SourceState:
    stored = [(span.first, span.last) for span in known.settled]
    return SourceState(stored, known.base, known.persisted, known.lost)
