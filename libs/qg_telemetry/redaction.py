"""Text made fit for a log line: secrets taken out, control characters made harmless, length bounded.

A net below the real rule, which is that no event carries a secret: it catches what libraries put into messages and
what callers put into paths.
"""

import re
from functools import lru_cache

import msgspec

TEXT_LENGTH_MAX = 8_192
"""Longer text is cut, and says so."""

_CACHED_LENGTH_MAX = 256
_MARK = "[redacted]"

_READ_BEYOND_CUT = 2_048

_NAMES = (
    *("password", "passwd", "pwd", "passphrase", "secret", "token", "credential", "cookie", "wallet", "authorization"),
    *("api_key", "api-key", "apikey", "private_key", "private-key", "privatekey"),
    *("encryption_key", "seal_key", "signing_key"),
)
_NAME = rf"(?:{'|'.join(_NAMES)})[\w.-]{{0,64}}+"
_VALUE = r"(?:b?\"(?:[^\"\\]|\\.)*\"?|b?'(?:[^'\\]|\\.)*'?|[^\s,;&)}\]]+)"


class _Rule(msgspec.Struct, frozen=True):
    """One kind of secret. `needles`: text that holds none of them (in lower case) is not searched at all."""

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str = _MARK


# The text is hostile: every repetition that a match can begin in the middle of is bounded, or the time would grow with
# the square of its length.
_RULES = (
    # PEM private keys and wallets, also when cut short
    _Rule(
        ("-----begin",),
        re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)", re.S),
    ),
    # Authorization values, wherever they stand
    _Rule(
        ("bearer", "basic", "apikey"),
        re.compile(r"\b(bearer|basic|apikey)(?:[ \t]|%20){1,8}[A-Za-z0-9._~+/=%-]{6,}", re.I),
        rf"\1 {_MARK}",
    ),
    # JWTs, also without their signature
    _Rule(("eyj",), re.compile(r"eyJ[A-Za-z0-9_-]{4,256}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?")),
    # our API keys whatever the prefix, also without their tag
    _Rule(("_",), re.compile(r"[0-9a-fA-F]{32}_[0-9a-fA-F]{24,48}(?:_[0-9a-fA-F]{0,16})?")),
    # Fernet tokens; bcrypt hashes; HMAC secrets; 32-byte keys in base64
    _Rule(("gaaaaa",), re.compile(r"gAAAAA[A-Za-z0-9_-]{20,}={0,2}")),
    _Rule(("$2",), re.compile(r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{20,53}")),
    _Rule(("",), re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{96,}")),
    _Rule(("=",), re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}=")),
    # scheme://user:password@host
    _Rule(
        ("@",),
        re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:/@\"']{0,128}):(?:(?!://)[^\s\"']){1,1024}@"),
        rf"\1:{_MARK}@",
    ),
    # IDENTIFIED BY password
    _Rule(
        ("identified",),
        re.compile(r"\b(identified\s{1,8}by(?:\s{1,8}values)?)\s{1,8}(?:\"[^\"]*\"?|'[^']*'?|\S+)", re.I),
        rf"\1 {_MARK}",
    ),
    # password=..., "api_key": "...", 'token': '...'
    _Rule(
        _NAMES,
        re.compile(rf"({_NAME}[\"']?\s{{0,8}}(?:=>|[=:]|%3D)\s{{0,8}}){_VALUE}", re.I),
        rf"\1{_MARK}",
    ),
    # user/password@host, as Oracle tools write it
    _Rule(
        ("@",),
        re.compile(r"(?<![\w/:.])([\w$#]{1,128})/([^\s@/\"']{1,1024})@(?=[\w(/\[])"),
        rf"\1/{_MARK}@",
    ),
)

# Nothing above matches text without these: other characters than a plain path has, a long run, the start of a token.
_SUSPECT = re.compile(r"[^A-Za-z0-9/_.-]|(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{40}|eyJ|gAAAAA")

_ODD = re.compile("[\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""JSON leaves these as they are, and so would a terminal get them: C1 controls, line separators, text direction."""


def redact(text: str) -> str:
    """`text` without anything that looks like a secret."""
    if _SUSPECT.search(text) is None:
        return text
    lowered = text.lower()
    for rule in _RULES:
        if any(needle in lowered for needle in rule.needles):
            text = rule.pattern.sub(rule.replacement, text)
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
