"""What the control plane asks the Oracle databases itself: describe on save, preview."""

from msgspec import Struct

from control_plane.connections.targets import target_of_row
from qg_core.errors import DuplicateColumns, GatewayError, QueryFailed, QueryRefused
from qg_oracle.columns import ColumnKind
from qg_oracle.deadlines import Deadline
from qg_oracle.describe import Description, describe
from qg_oracle.pool import Pool
from qg_oracle.pools import Pools
from qg_oracle.values import output_names
from qg_security.sealing import Sealer
from qg_store.models import Connection

POOL_MAX = 2
"""Sessions per connection for admins at work; the fleet's pools are the nodes' own."""

DESCRIBE_TIMEOUT_MS = 5_000


class Verdict(Struct, frozen=True):
    """What the database said of a statement: warnings for the admin; `duplicate_columns` is an error of the input."""

    warnings: tuple[str, ...] = ()
    duplicate_columns: bool = False


class Probes:
    """Small pools of the control plane's own, one per connection, made when first needed."""

    def __init__(self, sealer: Sealer, hosts_allowed: tuple[str, ...]) -> None:
        self._sealer = sealer
        self._pools = Pools(hosts_allowed=hosts_allowed)
        self._fingerprints: dict[str, str] = {}

    def pool(self, row: Connection) -> Pool:
        """The pool of a connection as it is stored now."""
        target = target_of_row(row, self._sealer, pool_max=POOL_MAX)
        pool = self._pools.get(target)
        self._fingerprints[row.id] = self._pools.fingerprint(target)
        return pool

    def forget(self, connection_id: str) -> None:
        """The connection was changed or deleted: close what is open to it."""
        if self._fingerprints.pop(connection_id, None) is not None:
            self._pools.retire(self._fingerprints.values())

    async def verdict(self, row: Connection, sql_text: str, column_map: dict[str, str]) -> Verdict:
        """Let the database parse the statement. Never raises: whatever it says, the endpoint can be saved."""
        try:
            described = await describe(self.pool(row), sql_text, Deadline.after_ms(DESCRIBE_TIMEOUT_MS))
        except QueryRefused as error:
            return Verdict((error.detail,))
        except (GatewayError, ValueError) as error:
            said = error.detail if isinstance(error, GatewayError) else "The connection can't be used."
            return Verdict((f"The statement could not be checked by the database: {said}",))
        return _shape_verdict(described, column_map)

    async def close(self) -> None:
        """End all sessions."""
        await self._pools.close(grace_s=2.0)


def _shape_verdict(described: Description, column_map: dict[str, str]) -> Verdict:
    warnings = [
        f"Column {column.name!r} is of the type {column.type_name}, which has no JSON form."
        for column in described.columns
        if column.kind is ColumnKind.UNSUPPORTED
    ]
    names = {column.name.upper() for column in described.columns}
    warnings += [
        f"column_map names {source!r}, which the statement does not return."
        for source in column_map
        if source.upper() not in names
    ]
    try:
        output_names(described.columns, column_map)
    except DuplicateColumns:
        return Verdict(tuple(warnings), duplicate_columns=True)
    except QueryFailed:
        warnings.append("The statement returns more columns than can be written.")
    return Verdict(tuple(warnings))
