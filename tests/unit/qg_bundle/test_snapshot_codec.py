"""Headers of snapshots: sealed and opened; whatever differs from what was tagged is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_bundle.rejections import BundleRejected, Reason
from qg_bundle.snapshots.codec import HEADER_BYTES_MAX, Envelope, open_header, seal_header
from qg_core.snapshots import PIECE_BYTES, EncodedBody, SnapshotHeader, header_problem
from qg_security.sealing import new_fernet_key
from qg_security.tags import ACCESS_BATCH_CONTEXT, SNAPSHOT_CONTEXT, TagKeys

GATEWAY = "test-gateway"
ENDPOINT = "00000000-0000-4000-8000-000000000001"
OTHER_ENDPOINT = "00000000-0000-4000-8000-000000000002"
KEY = new_fernet_key()
TAGS = TagKeys([KEY], SNAPSHOT_CONTEXT)
HEADER = SnapshotHeader(
    gateway_id=GATEWAY,
    endpoint_id=ENDPOINT,
    snapshot_id="00000000-0000-4000-8000-00000000000a",
    number=7,
    producer="a" * 64,
    created_at=1_700_000_000.25,
    row_count=3,
    truncated=False,
    rows_bytes=100,
    rows_crc32=2**32 - 1,
    encodings={
        "zstd": EncodedBody(PIECE_BYTES + 1, 2, "b" * 64),
        "gzip": EncodedBody(5, 1, "c" * 64),
    },
)
SEALED = seal_header(TAGS, HEADER)


def reason_of(sealed: bytes, tags: TagKeys = TAGS, gateway: str = GATEWAY, endpoint: str = ENDPOINT) -> Reason:
    with pytest.raises(BundleRejected) as refused:
        open_header(tags, gateway, endpoint, sealed)
    assert refused.value.wanted == (f"snapshot:{endpoint}",)
    return refused.value.reason


def test_what_was_sealed_opens() -> None:
    assert open_header(TAGS, GATEWAY, ENDPOINT, SEALED) == HEADER


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_no_altered_byte_opens(position: int, change: int) -> None:
    altered = bytearray(SEALED)
    altered[position] ^= change
    assert reason_of(bytes(altered)) in {Reason.TAG_INVALID, Reason.MALFORMED}


@given(st.binary(max_size=400))
def test_nothing_else_opens(body: bytes) -> None:
    assert reason_of(body) in {Reason.MISSING, Reason.MALFORMED, Reason.TAG_INVALID}


def test_why_it_is_refused() -> None:
    assert reason_of(b"") is Reason.MISSING
    assert reason_of(b"x" * (HEADER_BYTES_MAX + 1)) is Reason.TOO_LARGE
    assert reason_of(SEALED, endpoint=OTHER_ENDPOINT) is Reason.OTHER_SUBJECT
    assert reason_of(SEALED, gateway="other-gateway") is Reason.OTHER_GATEWAY
    assert reason_of(SEALED, tags=TagKeys([KEY], ACCESS_BATCH_CONTEXT)) is Reason.TAG_INVALID
    assert reason_of(SEALED, tags=TagKeys([new_fernet_key()], SNAPSHOT_CONTEXT)) is Reason.TAG_INVALID
    payload = b'{"gateway_id":1}'
    tagged = msgspec.msgpack.encode(Envelope(payload, TAGS.tag(payload)))
    assert reason_of(tagged) is Reason.MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"endpoint_id": "../../etc/passwd"},
        {"snapshot_id": "x"},
        {"producer": "A" * 64},
        {"number": 0},
        {"number": 2**53},
        {"created_at": -1.0},
        {"created_at": float("nan")},
        {"row_count": -1},
        {"rows_bytes": 2},
        {"rows_bytes": 2**40},
        {"rows_crc32": 2**32},
        {"encodings": {}},
        {"encodings": {**HEADER.encodings, "br": EncodedBody(1, 1, "d" * 64)}},
        {"encodings": {**HEADER.encodings, "gzip": EncodedBody(5, 2, "c" * 64)}},
        {"encodings": {**HEADER.encodings, "gzip": EncodedBody(0, 0, "c" * 64)}},
        {"encodings": {**HEADER.encodings, "gzip": EncodedBody(5, 1, "short")}},
    ],
)
def test_values_out_of_range_are_neither_sealed_nor_opened(changes: dict[str, object]) -> None:
    wrong = msgspec.structs.replace(HEADER, **changes)
    assert header_problem(wrong) is not None
    with pytest.raises(ValueError, match="snapshot"):
        seal_header(TAGS, wrong)
    payload = msgspec.json.encode(wrong)
    sealed = msgspec.msgpack.encode(Envelope(payload, TAGS.tag(payload)))
    endpoint = str(wrong.endpoint_id)
    with pytest.raises(BundleRejected) as refused:
        open_header(TAGS, GATEWAY, endpoint, sealed)
    assert refused.value.reason is Reason.MALFORMED


def test_a_field_that_is_added_later_is_passed_over() -> None:
    fields = {**msgspec.to_builtins(HEADER), "added": "later"}
    payload = msgspec.json.encode(fields)
    sealed = msgspec.msgpack.encode(Envelope(payload, TAGS.tag(payload)))
    assert open_header(TAGS, GATEWAY, ENDPOINT, sealed) == HEADER
