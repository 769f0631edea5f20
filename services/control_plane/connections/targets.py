"""The plaintext target of a stored connection, for what the control plane asks of the database itself."""

from qg_core.specs import ConnectionSecret, SpecKind, sealed_row
from qg_oracle.targets import ConnectionTarget
from qg_security.sealing import Sealer
from qg_store.models import Connection


def secret_of(row: Connection, sealer: Sealer) -> ConnectionSecret:
    """The opened password and wallet. Raises `SealBroken`."""
    return sealer.open(sealed_row(SpecKind.CONNECTION, row.id), row.sealed, ConnectionSecret)


def seal_secret(row_id: str, secret: ConnectionSecret, sealer: Sealer) -> str:
    """The token for `Connection.sealed`."""
    return sealer.seal(sealed_row(SpecKind.CONNECTION, row_id), secret)


def target_of_row(row: Connection, sealer: Sealer, *, pool_max: int | None = None) -> ConnectionTarget:
    """The target of a row; `pool_max` narrows the pool (which then opens nothing in advance)."""
    secret = secret_of(row, sealer)
    return ConnectionTarget(
        connection_id=row.id,
        addresses=row.addresses,
        service_name=row.service_name,
        sid=row.sid,
        username=row.username,
        password=secret.password,
        load_balance=row.load_balance,
        failover=row.failover,
        server_dn=row.server_dn,
        wallet=secret.wallet,
        pool_min=row.pool_min if pool_max is None else 0,
        pool_max=row.pool_max if pool_max is None else pool_max,
        pool_timeout_s=row.pool_timeout_s,
        query_timeout_s=row.query_timeout_s,
    )
