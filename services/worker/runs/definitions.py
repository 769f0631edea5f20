"""What a run has to do, read from what is published: the statement, its binds, the database, the producer's digest."""

from typing import TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from qg_core.binding import BindValue
from qg_core.errors import InvalidInput
from qg_core.producers import producer_of, snapshot_binds
from qg_core.revisions import SubjectKey
from qg_core.specs import (
    ConnectionSecret,
    ConnectionSpec,
    DataStrategy,
    EndpointSpec,
    SpecKind,
    SpecUnreadable,
    decode_spec,
    sealed_row,
)
from qg_oracle.statements import Statement, statement_of
from qg_oracle.targets import ConnectionTarget, check_target, target_of
from qg_security.sealing import SealBroken, Sealer
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing

SpecT = TypeVar("SpecT", EndpointSpec, ConnectionSpec)


class DefinitionUnfit(Exception):
    """The endpoint can't be run as it is published; the message is for admins and holds no secret."""


class Definition(msgspec.Struct, frozen=True):
    """One snapshot endpoint as published, ready to be run once. `timeout_ms` is not capped yet."""

    endpoint: EndpointSpec
    target: ConnectionTarget
    statement: Statement
    binds: dict[str, BindValue]
    producer: str
    timeout_ms: int


class Definitions:
    """Reads definitions; opens their secrets with the keys of BUNDLE_SEAL_KEY."""

    def __init__(self, sessions: SessionFactory, sealer: Sealer) -> None:
        self._sessions = sessions
        self._sealer = sealer

    async def of(self, endpoint_id: str) -> Definition:
        """Raises `DefinitionUnfit`, and what SQLAlchemy raises while Postgres is away."""
        async with self._sessions() as session:
            endpoint = await self._endpoint(session, endpoint_id)
            key = SubjectKey(SpecKind.CONNECTION.value, endpoint.connection_id)
            row = (await publishing.published(session, [key])).get(key)
        if row is None:
            raise DefinitionUnfit("The connection of this endpoint is missing or inactive.")
        connection = _decoded(row.body, ConnectionSpec)
        return Definition(
            endpoint=endpoint,
            target=self._target(connection),
            statement=statement_of(endpoint),
            binds=_binds(endpoint),
            producer=producer_of(endpoint, connection),
            timeout_ms=connection.query_timeout_s * 1_000 if endpoint.timeout_ms is None else endpoint.timeout_ms,
        )

    async def _endpoint(self, session: AsyncSession, endpoint_id: str) -> EndpointSpec:
        key = SubjectKey(SpecKind.ENDPOINT.value, endpoint_id)
        row = (await publishing.published(session, [key])).get(key)
        if row is None:
            raise DefinitionUnfit("The endpoint is inactive or was deleted.")
        endpoint = _decoded(row.body, EndpointSpec)
        if endpoint.data_strategy is not DataStrategy.SNAPSHOT:
            raise DefinitionUnfit("The endpoint is live: it has no snapshots.")
        return endpoint

    def _target(self, connection: ConnectionSpec) -> ConnectionTarget:
        try:
            secret = self._sealer.open(
                sealed_row(SpecKind.CONNECTION, connection.id), connection.sealed, ConnectionSecret
            )
            # A worker runs now and then: it keeps no session open for that.
            target = msgspec.structs.replace(target_of(connection, secret), pool_min=0)
            check_target(target)
        except SealBroken:
            raise DefinitionUnfit(
                "The connection's password does not open with this worker's BUNDLE_SEAL_KEY."
            ) from None
        except ValueError:
            # Only the kind of problem: a message might hold a part of what was opened.
            raise DefinitionUnfit("The connection has values that can't be used.") from None
        return target


def _binds(endpoint: EndpointSpec) -> dict[str, BindValue]:
    try:
        return snapshot_binds(endpoint)
    except InvalidInput as error:
        raise DefinitionUnfit(f"The endpoint's parameters allow no snapshot: {error.detail}") from None


def _decoded(body: bytes, spec_type: type[SpecT]) -> SpecT:
    try:
        spec = decode_spec(body)
    except SpecUnreadable as error:
        raise DefinitionUnfit(f"What is published is of a form that this worker can't read: {error}") from None
    if not isinstance(spec, spec_type):
        raise DefinitionUnfit("What is published under this name is of another kind.")
    return spec
