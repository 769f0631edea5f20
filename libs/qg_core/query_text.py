"""The raw query string of a data request, taken apart strictly (`application/x-www-form-urlencoded`).

Unlike `urllib.parse.parse_qsl` nothing is guessed: a `%` that two hex digits don't follow, bytes that are no UTF-8
(overlong forms and surrogates included) and NUL are refused instead of being replaced. `+` is a space, `&` separates,
`;` does not.
"""

import re
from urllib.parse import unquote_to_bytes

SEGMENTS_MAX = 256
"""How many `name=value` pieces one query string may have, empty ones not counted."""

NAME_SHOWN_MAX = 64
"""How many characters of a name that nobody declared are repeated in an error."""

_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode_component(text: str) -> str:
    """Decode one name or value (raw bytes as latin-1 text). Raises `ValueError` saying what is wrong with it."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" in text and _STRAY_PERCENT.search(text):
        raise ValueError("is not percent-encoded correctly")
    raw = text.encode("latin-1")
    try:
        decoded = (unquote_to_bytes(raw) if "%" in text else raw).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not valid UTF-8") from None
    if "\0" in decoded:
        raise ValueError("must not contain NUL")
    return decoded


def split_segments(query_text: str) -> list[tuple[str, str]]:
    """The raw `(name, value)` pairs in order; a piece without `=` has an empty value, empty pieces are skipped."""
    pairs = []
    for segment in query_text.split("&"):
        if segment:
            name, _, value = segment.partition("=")
            pairs.append((name, value))
    return pairs


def name_shown(raw_name: str) -> str:
    """How an error calls a parameter that nobody declared: decoded when possible, cut to `NAME_SHOWN_MAX`."""
    try:
        name = decode_component(raw_name)
    except ValueError:
        name = raw_name
    return name[:NAME_SHOWN_MAX]
