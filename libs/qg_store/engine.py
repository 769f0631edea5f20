"""The engine and its sessions: one engine per process, made in a service's `app.py` and closed there."""

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

SessionFactory = async_sessionmaker[AsyncSession]

CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 10_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000
POOL_WAIT_TIMEOUT_S = 5.0

_SSL_MODES = (None, "disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def asyncpg_url(url: str) -> URL:
    """A plain `postgresql://` URL as one for asyncpg; of parameters it may have `sslmode` (or `ssl`).

    Raises ValueError when it is no Postgres URL, or has others.
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise ValueError("must be a URL like postgresql://user:password@host:5432/name") from error
    if parsed.drivername not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ValueError("must be a URL like postgresql://user:password@host:5432/name")
    query = dict(parsed.query)
    sslmode = query.pop("sslmode", None) or query.pop("ssl", None)
    if query or sslmode not in _SSL_MODES:
        raise ValueError(f"may have no parameter but sslmode, one of {', '.join(filter(None, _SSL_MODES))}")
    return parsed.set(drivername="postgresql+asyncpg", query={"ssl": sslmode} if isinstance(sslmode, str) else {})


def make_engine(url: str, *, pool_max: int = 10, application: str = "querygateway") -> AsyncEngine:
    """An engine of at most `pool_max` connections whose statements, locks and idle transactions are bounded in time."""
    return create_async_engine(
        asyncpg_url(url),
        pool_size=pool_max,
        max_overflow=0,
        pool_timeout=POOL_WAIT_TIMEOUT_S,
        pool_pre_ping=True,
        # Errors end up in logs; what was bound stays out of them.
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "server_settings": {
                "application_name": application,
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
                "timezone": "UTC",
            },
        },
    )


def make_sessions(engine: AsyncEngine) -> SessionFactory:
    """Sessions whose objects stay readable after commit."""
    return async_sessionmaker(engine, expire_on_commit=False)
