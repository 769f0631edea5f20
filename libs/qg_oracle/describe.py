"""What the control plane asks a database: describe a statement without running it, preview it, test a connection."""

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import oracledb

from qg_core.errors import DuplicateColumns, QueryFailed, QueryRefused
from qg_oracle.cancelling import CancelSignal
from qg_oracle.columns import Column
from qg_oracle.deadlines import Deadline
from qg_oracle.errors import Failure, FailureKind, classify, to_preview_error
from qg_oracle.execute import ResultStream, describe_in_call, execute
from qg_oracle.logon import open_connection
from qg_oracle.pool import Pool
from qg_oracle.privileges import privilege_warnings
from qg_oracle.sessions import limit_round_trips
from qg_oracle.statements import Statement, Tags, is_query
from qg_oracle.targets import ConnectionTarget

TEST_STEP_TIMEOUT_MS = 5_000

_LOGON_REASONS: dict[str, str] = {
    "ORA-01017": "the user name or password is wrong",
    "ORA-01045": "the account may not sign in (CREATE SESSION is missing)",
    "ORA-28000": "the account is locked",
    "ORA-28001": "the password has expired",
    "ORA-28040": "the server allows no sign-in method that this gateway knows",
    "ORA-12514": "the listener doesn't know the service",
    "ORA-12505": "the listener doesn't know the SID",
    "ORA-12516": "the listener has no free handler",
    "ORA-12520": "the listener has no free handler",
    "ORA-00018": "the database has no session left",
    "ORA-00020": "the database has no process left",
    "ORA-01033": "the database is starting or stopping",
    "ORA-01034": "the database is not running",
    "DPY-3010": "the server's version is too old for this gateway",
    "DPY-6008": "the server's certificate does not match its name",
    "timeout": "there was no answer in time",
    "tls": "the TLS handshake failed",
}


class Description(msgspec.Struct, frozen=True):
    """The columns a statement gives and the binds it takes (upper case unless quoted, in order of appearance)."""

    columns: tuple[Column, ...]
    bind_names: tuple[str, ...]


class TestReport(msgspec.Struct, frozen=True):
    """The outcome of testing a connection; `message` and `warnings` are for admins and hold no secret."""

    __test__ = False  # no test class, whatever pytest thinks of its name

    success: bool
    message: str
    duration_ms: float
    oracle_version: str | None = None
    warnings: tuple[str, ...] = ()


async def describe(pool: Pool, sql: str, deadline: Deadline) -> Description:
    """Let the database parse `sql` and tell its columns; nothing is run.

    Raises `QueryRefused` with the class of error, and what `execute` raises for sessions that can't be had.
    """
    if not is_query(sql):
        raise QueryRefused("Only SELECT statements can be described.")  # parsing DDL would run it
    call = await describe_in_call(pool, Statement(sql), deadline)
    return Description(call.output.columns, call.bind_names)


async def preview(
    pool: Pool,
    statement: Statement,
    binds: Mapping[str, Any],
    deadline: Deadline,
    tags: Tags,
    cancel: CancelSignal | None = None,
) -> ResultStream:
    """`execute` for an admin who is writing the statement: what is wrong with it is a `QueryRefused` that says so."""
    try:
        return await execute(pool, statement, binds, deadline, tags, cancel, explain=to_preview_error)
    except DuplicateColumns as error:
        raise QueryRefused("The query returns two columns of the same name; give one an alias.") from error
    except QueryFailed as error:
        refused = QueryRefused(f"The result can't be written as JSON ({error.cause_code}).")
        refused.cause_code = error.cause_code
        raise refused from error


async def try_connection(
    target: ConnectionTarget, hosts_allowed: tuple[str, ...] = (), timeout_s: float = 30.0
) -> TestReport:
    """Sign in once, outside of any pool, and look at what the account can do. Never raises but for cancellation."""
    task = asyncio.ensure_future(_test(target, hosts_allowed, time.monotonic()))
    done, _ = await asyncio.wait({task}, timeout=timeout_s)  # leaves the task to its end if the caller goes away
    if not done:
        task.cancel()
        return TestReport(False, "Connecting failed: there was no answer in time.", timeout_s * 1000)
    return task.result()


async def _test(target: ConnectionTarget, hosts_allowed: tuple[str, ...], started: float) -> TestReport:
    try:
        connection = await open_connection(target, hosts_allowed)
    except ValueError as error:
        return TestReport(False, f"The connection can't be used: {error}.", _since(started))
    except Exception as error:  # noqa: BLE001 - whatever it is, the report tells its class
        return TestReport(False, _logon_message(classify(error, logging_on=True), error), _since(started))
    try:
        limit_round_trips(connection, TEST_STEP_TIMEOUT_MS)
        version = str(connection.version)
        warnings = await privilege_warnings(connection)
    except Exception as error:  # noqa: BLE001 - as above
        failure = classify(error)
        return TestReport(False, f"Connected, but the session failed ({failure.code}).", _since(started))
    finally:
        with contextlib.suppress(oracledb.Error, OSError):
            await connection.close()
    return TestReport(True, f"Connected to Oracle {version}.", _since(started), version, warnings)


def _logon_message(failure: Failure, error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None and failure.code in {"network", "DPY-6005"}:
        if isinstance(cause, OSError):
            number = cause.errno or 0  # of getaddrinfo it is negative and comes with its own text
            return f"Connecting failed: {os.strerror(number) if number > 0 else cause.strerror or cause}."
        cause = cause.__cause__
    reason = _LOGON_REASONS.get(failure.code)
    if reason is None:
        reason = {
            FailureKind.BUSY: "the database is busy",
            FailureKind.REFUSED: "the database refused the sign-in",
        }.get(failure.kind, "the database can't be reached")
    code = f" ({failure.code})" if "-" in failure.code else ""
    return f"Connecting failed: {reason}{code}."


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
