"""Which encoding a client gets, and when it gets none at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.snapshots.negotiation import encoding_for, holds
from qg_core.header_fields import read_fields

ETAG = b'W/"one-two"'


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        (None, "identity"),
        (b"", "identity"),
        (b"zstd", "zstd"),
        (b"gzip", "gzip"),
        (b"x-gzip", "gzip"),
        (b"gzip, deflate, br, zstd", "zstd"),
        (b"GZIP;Q=1.0 , Zstd;q=0.5", "gzip"),
        (b"gzip;q=0.5, zstd;q=0.5", "zstd"),
        (b"br", "identity"),
        (b"*", "zstd"),
        (b"*;q=0.1, zstd;q=0", "gzip"),
        (b"zstd;q=0", "identity"),
        (b"zstd;q=0, gzip;q=0.001", "gzip"),
        (b"gzip;q=0.5, identity", "identity"),
        (b"gzip;q=0.5, identity;q=0.5", "gzip"),
        (b"identity;q=0", "identity"),
        (b"identity;q=0, gzip", "gzip"),
        (b"*;q=0", "identity"),
        (b"gzip;q=2", "identity"),
        (b"gzip;level=9", "identity"),
        (b"gzip;q=0.1234", "identity"),
        (b"gzip;q=", "identity"),
        (b",,;,gzip", "gzip"),
        (b"gzip;q=0.9," + b"x" * 300 + b",zstd;q=0.8", "gzip"),
    ],
)
def test_encodings(accepted: bytes | None, encoding: str) -> None:
    assert encoding_for(accepted) == encoding


@given(st.binary(max_size=300))
def test_any_header_gives_some_encoding(accepted: bytes) -> None:
    assert encoding_for(accepted) in {"zstd", "gzip", "identity"}


@pytest.mark.parametrize(
    ("held", "same"),
    [
        (b'W/"one-two"', True),
        (b'"one-two"', True),
        (b'"other", W/"one-two"', True),
        (b'"a,b" ,"one-two"', True),
        (b" * ", True),
        (b'"one"', False),
        (b"one-two", False),
        (b"", False),
        (b'"*"', False),
        (b'W/"ONE-TWO"', False),
    ],
)
def test_versions(held: bytes, same: bool) -> None:
    assert holds(held, ETAG) is same


def test_repeated_lines_are_one_list() -> None:
    fields = read_fields([(b"accept-encoding", b"br"), (b"x", b"y"), (b"accept-encoding", b"gzip")])
    assert encoding_for(fields[b"accept-encoding"]) == "gzip"
    fields = read_fields([(b"if-none-match", b'"other"'), (b"if-none-match", ETAG)])
    assert holds(fields[b"if-none-match"], ETAG)
