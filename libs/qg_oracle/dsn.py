"""A `(DESCRIPTION=...)` that an admin pasted, read into plain values.

The driver's own parser does the reading; before it sees the text, every keyword in it must be on a closed list. So
nothing that makes the driver open files, wallets or proxies, follow URLs, fetch tokens or talk to other services gets
as far, and what is kept is written anew from the parsed values (`qg_oracle.targets.descriptor`).
"""

import re

import msgspec
import oracledb

from qg_core.specs import Address
from qg_oracle.targets import ADDRESSES_MAX, check_address_values, check_connect_values

DSN_LENGTH_MAX = 4_000

_KEPT = frozenset(
    {"DESCRIPTION", "ADDRESS_LIST", "ADDRESS", "PROTOCOL", "HOST", "PORT", "LOAD_BALANCE", "FAILOVER", "CONNECT_DATA"}
    | {"SERVICE_NAME", "SID"}
)
# Accepted because tnsnames entries are full of them, and dropped: the gateway has its own limits and pools.
_DROPPED = frozenset(
    {"SERVER", "CONNECT_TIMEOUT", "TRANSPORT_CONNECT_TIMEOUT", "RETRY_COUNT", "RETRY_DELAY", "ENABLE", "SDU", "UR"}
)
_TEXT = re.compile(r"[\x20-\x7e\t\r\n]*")
_KEYWORD = re.compile(r"\(\s*([A-Za-z_]+)\s*=")
_SWITCH = re.compile(r"\(\s*(LOAD_BALANCE|FAILOVER)\s*=\s*([A-Za-z]+)\s*\)", re.IGNORECASE)
_ON = frozenset({"ON", "YES", "TRUE"})
_OFF = frozenset({"OFF", "NO", "FALSE"})


class ParsedDsn(msgspec.Struct, frozen=True, kw_only=True):
    """What a descriptor says: exactly one of `service_name` and `sid`."""

    addresses: tuple[Address, ...]
    load_balance: bool
    failover: bool
    service_name: str | None
    sid: str | None


def parse_dsn(dsn: str) -> ParsedDsn:
    """Read a connect descriptor. Raises `ValueError` with a sentence that says what is wrong."""
    text = dsn.strip()
    _check_text(text)
    load_balance, failover = _switches(text)
    params = oracledb.ConnectParams()
    try:
        params.parse_connect_string(text)
    except (oracledb.Error, ValueError, TypeError, AttributeError, RecursionError):
        # The driver's messages repeat the whole text; the admin has it.
        raise ValueError("is not a connect descriptor that can be understood") from None
    addresses = tuple(
        Address(protocol=str(protocol), host=str(host), port=int(str(port)))
        for protocol, host, port in zip(
            _listed(params.protocol), _listed(params.host), _listed(params.port), strict=True
        )
    )
    if not 1 <= len(addresses) <= ADDRESSES_MAX:
        raise ValueError(f"must name 1 to {ADDRESSES_MAX} addresses")
    for address in addresses:
        try:
            check_address_values(address)
        except ValueError as error:
            raise ValueError(f"address {address.host!r}: {error}") from None
    service_name, sid = _single(params.service_name, "SERVICE_NAME"), _single(params.sid, "SID")
    check_connect_values(service_name, sid)
    return ParsedDsn(
        addresses=addresses, load_balance=load_balance, failover=failover, service_name=service_name, sid=sid
    )


def _check_text(text: str) -> None:
    if not text or len(text) > DSN_LENGTH_MAX:
        raise ValueError(f"must have 1 to {DSN_LENGTH_MAX} characters")
    if not text.startswith("("):
        raise ValueError("must be a connect descriptor: (DESCRIPTION=...)")
    if _TEXT.fullmatch(text) is None:
        raise ValueError("may hold printable ASCII only")
    if '"' in text or "'" in text or "\\" in text or "#" in text:
        raise ValueError("may not hold quotes, backslashes or comments")
    if text.count("(") != text.count(")"):
        raise ValueError("has unbalanced parentheses")
    _check_keywords(text)
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and position != len(text) - 1:
            raise ValueError("has text after its end")


def _check_keywords(text: str) -> None:
    keywords = [keyword.upper() for keyword in _KEYWORD.findall(text)]
    if len(keywords) != text.count("("):
        raise ValueError("has a parenthesis that begins no KEYWORD=")
    if keywords[0] != "DESCRIPTION" or keywords.count("DESCRIPTION") != 1:
        raise ValueError("must be one (DESCRIPTION=...), not a list")
    for keyword in keywords:
        if keyword not in _KEPT and keyword not in _DROPPED:
            raise ValueError(f"{keyword} is not accepted: only addresses, load balancing, failover and connect data")
    for keyword in ("CONNECT_DATA", "SERVICE_NAME", "SID"):
        if keywords.count(keyword) > 1:
            raise ValueError(f"{keyword} may appear once")


def _switches(text: str) -> tuple[bool, bool]:
    found = {"LOAD_BALANCE": False, "FAILOVER": True}
    for keyword, value in _SWITCH.findall(text):
        if value.upper() not in _ON | _OFF:
            raise ValueError(f"{keyword.upper()} must be ON or OFF")
        found[keyword.upper()] = value.upper() in _ON
    return found["LOAD_BALANCE"], found["FAILOVER"]


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]


def _single(value: object, keyword: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"{keyword} must be one plain value")
    return value
