"""Opening one session: choose an address, resolve and check it, sign in, pin the session's zone.

Done here and not by the driver, because its asyncio form resolves names on the event loop and sets no limit to
connecting or signing in (26.1, `impl/thin/protocol.pyx`).
"""

import asyncio
import contextlib
import ipaddress
import random
import socket
import ssl
from collections.abc import Coroutine
from typing import Any

import oracledb

from qg_core.specs import Address
from qg_oracle.deadlines import Deadline
from qg_oracle.hosts import check_address, parse_host
from qg_oracle.sessions import limit_round_trips
from qg_oracle.targets import ConnectionTarget, check_target, descriptor
from qg_oracle.tls import tls_context

ADDRESS_TIMEOUT_S = 8.0
"""To resolve, connect and sign in at one address."""

LOGON_TIMEOUT_S = 20.0
"""For all addresses of a target together."""

RESOLVED_MAX = 4
"""Addresses tried of one name."""

CANCELS_MAX = 20
"""Attempts to get out of a driver call that signs in."""

KEEPALIVE_MINUTES = 1
STATEMENTS_CACHED = 64
PIN_ZONE = "ALTER SESSION SET TIME_ZONE = 'UTC'"


class HostRefused(OSError):
    """A name led to an address this gateway may not reach."""


async def make_tls(target: ConnectionTarget) -> ssl.SSLContext:
    """The TLS context of a target, made in a thread: reading the system's trust store takes tens of milliseconds."""
    return await asyncio.to_thread(tls_context, target.wallet)


def needs_tls(target: ConnectionTarget) -> bool:
    return any(address.protocol == "tcps" for address in target.addresses)


async def open_connection(
    target: ConnectionTarget, hosts_allowed: tuple[str, ...] = (), tls: ssl.SSLContext | None = None
) -> oracledb.AsyncConnection:
    """A signed-in connection whose session runs in UTC; `tls` is the target's context if it was made already.

    Takes at most `LOGON_TIMEOUT_S`. Raises what the driver raises, `TimeoutError`, `OSError`, or `ValueError` for a
    target that can't be written as a descriptor or a wallet that is none. `qg_oracle.errors.classify` knows them all.
    Cancelling is safe here, as nobody else has the connection yet.
    """
    check_target(target)
    addresses = list(target.addresses)
    if target.load_balance:
        random.shuffle(addresses)
    if not target.failover:
        addresses = addresses[:1]
    if tls is None and needs_tls(target):
        tls = await make_tls(target)
    deadline = Deadline.after_ms(int(LOGON_TIMEOUT_S * 1000))
    last_error: Exception | None = None
    for address in addresses:
        timeout_s = min(ADDRESS_TIMEOUT_S, deadline.left_s())
        if timeout_s <= 0:
            break
        try:
            return await _bounded(_open_at(target, address, tls, hosts_allowed), timeout_s)
        except (oracledb.Error, OSError) as error:  # TimeoutError is an OSError
            last_error = error
    raise last_error if last_error is not None else TimeoutError


async def _bounded(
    opening: Coroutine[Any, Any, oracledb.AsyncConnection], timeout_s: float
) -> oracledb.AsyncConnection:
    """The outcome of `opening`, or `TimeoutError`; nothing of it is left behind either way.

    A driver call that is cancelled while it signs in sends a break and waits again, so one cancellation (all that
    `asyncio.timeout` does) would wait for ever on a server that says nothing.
    """
    task = asyncio.get_running_loop().create_task(opening)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    except asyncio.CancelledError:
        await _get_out(task)
        raise
    if not task.done():
        await _get_out(task)
        raise TimeoutError
    return task.result()


async def _get_out(task: "asyncio.Task[oracledb.AsyncConnection]") -> None:
    for _ in range(CANCELS_MAX):
        if task.done():
            break
        task.cancel()
        await asyncio.wait({task}, timeout=0.05)
    if task.done() and not task.cancelled() and task.exception() is None:
        await _close_quietly(task.result())  # it came through in the very last moment


async def _open_at(
    target: ConnectionTarget, address: Address, tls: ssl.SSLContext | None, hosts_allowed: tuple[str, ...]
) -> oracledb.AsyncConnection:
    last_error: Exception | None = None
    for resolved in await _resolve(address, hosts_allowed):
        # TLS proves the server's name, so the driver must know it and resolves it once more; plain TCP goes to the
        # very address that was checked.
        host = address.host if address.protocol == "tcps" else resolved
        try:
            return await _sign_in(target, Address(protocol=address.protocol, host=host, port=address.port), tls)
        except oracledb.Error as error:
            last_error = error
            if not str(error).startswith("DPY-6005"):
                raise
    raise last_error if last_error is not None else OSError("no address")


async def _resolve(address: Address, hosts_allowed: tuple[str, ...]) -> list[str]:
    parsed = parse_host(address.host)
    if not isinstance(parsed, str):
        literals = [str(parsed)]
    else:
        found = await asyncio.get_running_loop().getaddrinfo(parsed, address.port, type=socket.SOCK_STREAM)
        literals = list(dict.fromkeys(str(item[4][0]) for item in found))[:RESOLVED_MAX]
    for literal in literals:
        try:
            check_address(
                ipaddress.ip_address(literal), hosts_allowed, named=parsed if isinstance(parsed, str) else None
            )
        except ValueError as error:
            raise HostRefused(str(error)) from None
    return literals


async def _sign_in(target: ConnectionTarget, address: Address, tls: ssl.SSLContext | None) -> oracledb.AsyncConnection:
    connection: oracledb.AsyncConnection = await oracledb.connect_async(
        dsn=descriptor(target, (address,)),
        user=target.username,
        password=target.password,
        ssl_context=tls,
        ssl_server_dn_match=True,
        ssl_server_cert_dn=target.server_dn,
        expire_time=KEEPALIVE_MINUTES,
        retry_count=0,
        stmtcachesize=STATEMENTS_CACHED,
        program="querygateway",
        osuser="querygateway",
    )
    try:
        with connection.cursor() as cursor:
            await cursor.execute(PIN_ZONE)
    except BaseException:
        await _close_quietly(connection)
        raise
    return connection


async def _close_quietly(connection: oracledb.AsyncConnection) -> None:
    limit_round_trips(connection, 500)
    with contextlib.suppress(oracledb.Error, OSError):
        await connection.close()
