"""Text made fit for a log line: secrets taken out, control characters made harmless, length bounded.

A net below the real rule, which is that no event carries a secret: it catches what libraries put into messages and
what callers put into paths.
"""

import re
from functools import lru_cache

TEXT_LENGTH_MAX = 8_192
"""Longer text is cut, and says so."""

_CACHED_LENGTH_MAX = 256
_MARK = "[redacted]"

_READ_BEYOND_CUT = 2_048

# The text is hostile: every repetition that a match can begin in the middle of is bounded, or the time would grow with
# the square of its length.
_NAMES = (
    r"(?:passw(?:or)?d|passwd|pwd|passphrase|secret|token|api[_-]?key|authorization|private[_-]?key"
    r"|encryption[_-]?key|seal[_-]?key|signing[_-]?key|credential|cookie|wallet)[\w.-]{0,64}"
)
_VALUE = r"(?:b?\"(?:[^\"\\]|\\.)*\"?|b?'(?:[^'\\]|\\.)*'?|[^\s,;&)}\]]+)"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # PEM private keys and wallets, also when cut short
    (re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)", re.S), _MARK),
    # Authorization values, wherever they stand
    (re.compile(r"\b(bearer|basic|apikey)[ \t]{1,8}[A-Za-z0-9._~+/=-]{6,}", re.I), rf"\1 {_MARK}"),
    # JWTs, also without their signature
    (re.compile(r"eyJ[A-Za-z0-9_-]{4,1024}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?"), _MARK),
    # our API keys whatever the prefix, also without their tag
    (re.compile(r"[0-9a-fA-F]{32}_[0-9a-fA-F]{24,48}(?:_[0-9a-fA-F]{0,16})?"), _MARK),
    # Fernet tokens; bcrypt hashes; HMAC secrets; 32-byte keys in base64
    (re.compile(r"gAAAAA[A-Za-z0-9_-]{20,}={0,2}"), _MARK),
    (re.compile(r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{20,53}"), _MARK),
    (re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{96,}"), _MARK),
    (re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}="), _MARK),
    # scheme://user:password@host
    (re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:/@\"']{0,128}):[^\s\"']{1,1024}@"), rf"\1:{_MARK}@"),
    # IDENTIFIED BY password
    (re.compile(r"\b(identified\s{1,8}by(?:\s{1,8}values)?)\s{1,8}(?:\"[^\"]*\"?|'[^']*'?|\S+)", re.I), rf"\1 {_MARK}"),
    # password=..., "api_key": "...", 'token': '...'
    (re.compile(rf"({_NAMES}[\"']?\s{{0,8}}(?:=>|[=:])\s{{0,8}}){_VALUE}", re.I), rf"\1{_MARK}"),
    # user/password@host, as Oracle tools write it
    (re.compile(r"(?<![\w/:.])([\w$#]{1,128})/([^\s@/\"']{1,1024})@(?=[\w(/\[])"), rf"\1/{_MARK}@"),
)

_ODD = re.compile("[\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""JSON leaves these as they are, and so would a terminal get them: C1 controls, line separators, text direction."""


def redact(text: str) -> str:
    """`text` without anything that looks like a secret."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _clean(text: str) -> str:
    if len(text) <= TEXT_LENGTH_MAX:
        return _ODD.sub(_escaped, redact(text))
    # Redacted first and cut then: half a secret is no longer recognised as one.
    shown = redact(text[: TEXT_LENGTH_MAX + _READ_BEYOND_CUT])[:TEXT_LENGTH_MAX]
    return _ODD.sub(_escaped, f"{shown}... ({len(text)} characters)")


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


_clean_cached = lru_cache(maxsize=2_048)(_clean)


def clean(text: str) -> str:
    """`text` as a log line may hold it: redacted, cut at `TEXT_LENGTH_MAX` characters, control characters visible.

    JSON escapes the controls below 32 itself. Short texts repeat (paths, names), so their outcome is remembered.
    """
    return _clean_cached(text) if len(text) <= _CACHED_LENGTH_MAX else _clean(text)
