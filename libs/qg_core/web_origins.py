"""Web origins as browsers send them: whose pages may call the gateway."""

from urllib.parse import urlsplit

ORIGIN_LENGTH_MAX = 255


def web_origin(value: str) -> str:
    """`value`, if it is one origin as browsers send it, such as `https://app.example.com`: lower case, no path.

    Raises `ValueError`. Never `*`: an answer is for the pages that an admin or operator named.
    """
    try:
        parts = urlsplit(value)
        plain = value == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc and bool(parts.hostname)
        port_plain = parts.port is None or parts.port > 0
    except ValueError:
        plain = port_plain = False
    spelled = value.isascii() and value.isprintable() and value == value.lower()
    spelled = spelled and len(value) <= ORIGIN_LENGTH_MAX and not any(char in value for char in " ,\"'*\\")
    if not (plain and port_plain and spelled and parts.scheme in {"http", "https"}):
        raise ValueError(f"must be origins such as https://app.example.com (never *), not {value[:80]!r}")
    return value
