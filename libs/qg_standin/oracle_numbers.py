"""Oracle NUMBERs: base-100 digits behind an exponent byte, between text, integers and the wire."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache

from qg_standin.wire import Malformed

_DIGITS_MAX = 40
_EXPONENT_ZERO = 193
_GROUP = 10_000


def encode_number(text: str) -> bytes:
    """A NUMBER from its decimal text (`-12.50`, `1E+20`); the exponent form is accepted too."""
    negative = text.startswith("-")
    mantissa, _, exponent_text = text.lstrip("+-").lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    point = len(whole) + (int(exponent_text) if exponent_text else 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    if not digits:
        return b"\x01\x80"
    if point % 2:
        digits = "0" + digits
        point += 1
    if len(digits) > _DIGITS_MAX:
        digits = digits[:_DIGITS_MAX]
    if len(digits) % 2:
        digits += "0"
    exponent = point // 2 - 1
    pairs = [int(digits[i : i + 2]) for i in range(0, len(digits), 2)]
    while pairs and pairs[-1] == 0:
        pairs.pop()
    if negative:
        body = bytes(((~(exponent + 193)) & 0xFF, *(101 - pair for pair in pairs)))
        if len(pairs) < 20:
            body += b"\x66"
    else:
        body = bytes((exponent + 193, *(pair + 1 for pair in pairs)))
    return bytes((len(body),)) + body


def is_short_integer(raw: bytes) -> bool:
    """True for a whole number of at most 18 digits, judged by exponent and length alone."""
    if raw[0] & 0x80:
        pairs_before_point, pairs = raw[0] - _EXPONENT_ZERO + 1, len(raw) - 1
    else:
        pairs_before_point = (~raw[0] & 0xFF) - _EXPONENT_ZERO + 1
        pairs = len(raw) - (2 if raw[-1] == 0x66 else 1)
    return pairs <= pairs_before_point <= 9 or raw == b"\x80"


def decode_number(raw: bytes) -> int | Decimal:
    """An int where the value is whole, else a Decimal."""
    if raw == b"\x80":
        return 0
    if len(raw) < 2:
        raise Malformed("a NUMBER without digits")
    if raw[0] & 0x80:
        sign, exponent = 1, raw[0] - 193
        pairs = [digit - 1 for digit in raw[1:]]
    else:
        sign, exponent = -1, (~raw[0] & 0xFF) - 193
        tail = raw[1:-1] if raw[-1] == 0x66 else raw[1:]
        pairs = [101 - digit for digit in tail]
    value: int = 0
    for pair in pairs:
        value = value * 100 + pair
    scale = exponent - len(pairs) + 1
    if scale >= 0:
        return sign * value * int(100**scale)
    return Decimal(sign * value).scaleb(scale * 2) if value else 0


def _body(group: int) -> bytes:
    """Two base-100 digits of a group of four decimal ones."""
    return bytes((group // 100 + 1, group % 100 + 1))


_BODIES = tuple(_body(group) for group in range(_GROUP))
_TAILS = tuple(body.rstrip(b"\x01") for body in _BODIES)
_HEADS = tuple(body.lstrip(b"\x01") for body in _BODIES)


def _start(head: bytes, tail_bytes: int, exponent: int) -> bytes:
    """Length, exponent and leading digits of a positive number that `tail_bytes` more digits follow."""
    kept = head if tail_bytes else head.rstrip(b"\x01")
    return bytes((1 + len(kept) + tail_bytes, exponent + len(head))) + kept


def _long_positive(value: int, exponent: int) -> bytes:
    groups = []
    while value:
        value, low = divmod(value, _GROUP)
        groups.append(low)
    head = _HEADS[groups.pop()]
    digits = head + b"".join(_BODIES[group] for group in reversed(groups))
    kept = digits.rstrip(b"\x01")
    return bytes((1 + len(kept), exponent + len(digits))) + kept


@cache
def scaled_encoder(places: int) -> Callable[[int], bytes]:
    """The encoder of value / 10**places for an even `places`; positive ones below 10**8 take two look-ups."""
    exponent = _EXPONENT_ZERO - 1 - places // 2
    small = (b"\x01\x80", *(_start(head, 0, exponent) for head in _HEADS[1:]))
    starts = tuple(tuple(_start(head, tail_bytes, exponent + 2) for head in _HEADS) for tail_bytes in range(3))
    tails = _TAILS

    def encode(value: int) -> bytes:
        if value < _GROUP:
            return small[value] if value >= 0 else encode_number(f"{value}E-{places}")
        high, low = divmod(value, _GROUP)
        if high < _GROUP:
            tail = tails[low]
            return starts[len(tail)][high] + tail
        return _long_positive(value, exponent)

    return encode
