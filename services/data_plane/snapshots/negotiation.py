"""Which encoding a client takes (RFC 9110 section 12.5.3) and which version it has already (section 13.1.2)."""

import functools
import re

from qg_core.snapshots import GZIP, IDENTITY, ZSTD

REMEMBERED_MAX = 256
REMEMBERED_BYTES_MAX = 256
"""Longer headers are read each time: browsers and libraries send a few short ones."""

PREFERENCE = (ZSTD, GZIP, IDENTITY)
"""Which one to take of those that a client likes equally well."""

_ALIASES = {"x-gzip": GZIP}
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_ENTITY_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def encoding_for(accepted: bytes | None) -> str:
    """The encoding to send, by `Accept-Encoding`. A client that accepts none of them gets the plain text."""
    if not accepted:
        return IDENTITY
    if len(accepted) > REMEMBERED_BYTES_MAX:
        return _choose(accepted)
    return _remembered(accepted)


def holds(held: bytes, etag: bytes) -> bool:
    """Whether `If-None-Match` names this version; weak comparison, as it says for GET and HEAD."""
    if held.strip() == b"*":
        return True
    opaque = etag.removeprefix(b"W/")
    return any(found.group(1) == opaque for found in _ENTITY_TAG.finditer(held))


def _choose(accepted: bytes) -> str:
    weights: dict[str, float] = {}
    for item in accepted.decode("latin-1").split(","):
        name, _, parameters = item.partition(";")
        coding = name.strip().lower()
        weight = _weight(parameters)
        if coding and weight is not None:
            weights[_ALIASES.get(coding, coding)] = weight
    others = weights.get("*", 0.0)
    liked = {name: weights.get(name, others) for name in (ZSTD, GZIP)}
    # Not named, plain text is acceptable, but whatever is named comes first.
    liked[IDENTITY] = weights.get(IDENTITY, others if "*" in weights else 0.0001)
    best = max(PREFERENCE, key=liked.__getitem__)
    return best if liked[best] > 0 else IDENTITY


def _weight(parameters: str) -> float | None:
    """The weight behind a coding, 1 without one; null when it is none, so that its coding is passed over."""
    text = parameters.strip().lower()
    if not text:
        return 1.0
    name, _, value = text.partition("=")
    if name.strip() != "q" or not _WEIGHT.fullmatch(value.strip()):
        return None
    return float(value)


_remembered = functools.lru_cache(REMEMBERED_MAX)(_choose)
