"""Batches of access events: what was tagged comes back, whatever else is refused, at bounded cost."""

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from qg_bundle.access.codec import (
    EVENTS_MAX,
    RAW_BYTES_MAX,
    BatchHeader,
    BatchReason,
    BatchRefused,
    PersistedRefused,
    decode_batch,
    encode_batch,
    make_header,
    persisted_value,
    read_persisted,
)
from qg_core.access_events import LINE_BYTES_MAX, AccessEvent, EventRefused, decode_event
from qg_security.sealing import new_fernet_key
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, TagKeys
from tests.support.access_lines import encode_event

KEY = new_fernet_key()
TAGS = TagKeys([KEY], ACCESS_BATCH_CONTEXT)
MARKS = TagKeys([KEY], ACCESS_PERSISTED_CONTEXT)
LOG = "0123456789abcdef" * 2
OTHER_LOG = "f" * 32

EVENT = AccessEvent(
    sequence=7,
    at=1_763_000_000.25,
    request_id="r-1",
    endpoint_id="e-1",
    path="/api/v1/data/orders\n",
    method="GET",
    principal="api_key:reporting",
    auth_method_id="m-1",
    credential_id="c-1",
    remote_ip="192.0.2.7",
    status=200,
    duration_ms=3.125,
    row_count=2,
    bytes=120,
    revision=9,
)


def lines_of(*sequences: int) -> list[bytes]:
    return [encode_event(msgspec.structs.replace(EVENT, sequence=sequence)) for sequence in sequences]


def batch_of(*sequences: int, base: int | None = None) -> dict[bytes, bytes]:
    lines = lines_of(*sequences)
    header = make_header(LOG, "node-1", base=base or sequences[0], first=sequences[0], last=sequences[-1], lines=lines)
    return encode_batch(TAGS, header, lines)


def tagged(header: BatchHeader, body: bytes) -> dict[bytes, bytes]:
    """What somebody who holds the key could write, against all rules."""
    head = msgspec.msgpack.encode(header)
    return {b"h": head, b"b": body, b"t": TAGS.tag(b"%d:%b%b" % (len(head), head, body))}


def reason_of(fields: dict[bytes, bytes], tags: TagKeys = TAGS) -> BatchReason:
    with pytest.raises(BatchRefused) as raised:
        decode_batch(tags, fields)
    return raised.value.reason


def test_a_batch_comes_back() -> None:
    batch = decode_batch(TAGS, batch_of(7, 8, 12, base=3))
    assert batch.header.base == 3
    assert (batch.header.first, batch.header.last, batch.header.count) == (7, 12, 3)
    assert [decode_event(line).sequence for line in batch.lines] == [7, 8, 12]
    assert decode_event(batch.lines[0]) == EVENT


def test_a_batch_without_lines_says_the_base() -> None:
    header = make_header(LOG, "node-1", base=40, first=40, last=39, lines=[])
    batch = decode_batch(TAGS, encode_batch(TAGS, header, []))
    assert (batch.header.base, batch.header.count, batch.lines) == (40, 0, [])


def test_the_largest_batch_fits() -> None:
    lines = [b"x" * (RAW_BYTES_MAX // EVENTS_MAX - 1)] * EVENTS_MAX
    header = make_header(LOG, "node-1", base=1, first=1, last=EVENTS_MAX, lines=lines)
    assert len(decode_batch(TAGS, encode_batch(TAGS, header, lines)).lines) == EVENTS_MAX
    too_many = [b"x" * LINE_BYTES_MAX] * 40
    header = make_header(LOG, "n", base=1, first=1, last=40, lines=too_many)
    with pytest.raises(ValueError, match="bytes"):
        encode_batch(TAGS, header, too_many)


@pytest.mark.parametrize("field", [b"h", b"b", b"t"])
def test_a_changed_byte_is_refused(field: bytes) -> None:
    fields = batch_of(7, 8)
    value = bytearray(fields[field])
    value[len(value) // 2] ^= 1
    assert reason_of(fields | {field: bytes(value)}) is BatchReason.TAG_INVALID


def test_what_moved_between_header_and_lines_is_refused() -> None:
    fields = batch_of(7, 8)
    moved = {b"h": fields[b"h"] + fields[b"b"][:1], b"b": fields[b"b"][1:], b"t": fields[b"t"]}
    assert reason_of(moved) is BatchReason.TAG_INVALID


def test_other_keys_and_other_contexts_are_refused() -> None:
    assert reason_of(batch_of(7), TagKeys([new_fernet_key()], ACCESS_BATCH_CONTEXT)) is BatchReason.TAG_INVALID
    assert reason_of(batch_of(7), MARKS) is BatchReason.TAG_INVALID


def test_a_former_key_still_verifies() -> None:
    assert decode_batch(TagKeys([new_fernet_key(), KEY], ACCESS_BATCH_CONTEXT), batch_of(7)).header.first == 7


@pytest.mark.parametrize("missing", [b"h", b"b", b"t"])
def test_missing_fields_are_refused(missing: bytes) -> None:
    fields = batch_of(7)
    del fields[missing]
    assert reason_of(fields) is BatchReason.FIELDS_MISSING


def test_large_fields_are_refused_unread() -> None:
    fields = batch_of(7)
    assert reason_of(fields | {b"b": b"x" * (RAW_BYTES_MAX * 2)}) is BatchReason.TOO_LARGE
    assert reason_of(fields | {b"h": b"x" * 1_000}) is BatchReason.TOO_LARGE
    assert reason_of(fields | {b"t": b"x"}) is BatchReason.TOO_LARGE


def test_a_bomb_stops_at_what_its_header_says() -> None:
    bomb = zstandard.compress(b"\n" * 100_000_000)
    assert len(bomb) < RAW_BYTES_MAX
    assert reason_of(tagged(BatchHeader(LOG, "n", 1, 1, 2, 2, 10), bomb)) is BatchReason.MALFORMED
    assert reason_of(tagged(BatchHeader(LOG, "n", 1, 1, 2, 2, 2**40), bomb)) is BatchReason.MALFORMED


@pytest.mark.parametrize(
    "header",
    [
        BatchHeader("x", "n", 1, 1, 1, 1, 2),
        BatchHeader(LOG, "n/../x", 1, 1, 1, 1, 2),
        BatchHeader(LOG, "n", 0, 1, 1, 1, 2),
        BatchHeader(LOG, "n", 1, 2, 1, 1, 2),
        BatchHeader(LOG, "n", 1, 1, 2**60, 1, 2),
        BatchHeader(LOG, "n", 1, 1, 1, 2, 2),
        BatchHeader(LOG, "n", 1, 1, 1_000, 600, 2),
        BatchHeader(LOG, "n", 1, 1, 1, 0, 0),
        BatchHeader(LOG, "n", 1, 1, 2, 2, 2),
        BatchHeader(LOG, "n", 1, 1, 1, 1, 3),
        BatchHeader(LOG, "n", 1, 1, 1, 1, 1),
    ],
)
def test_numbers_that_do_not_fit_are_refused(header: BatchHeader) -> None:
    assert reason_of(tagged(header, zstandard.compress(b"[]"))) is BatchReason.MALFORMED


def test_what_is_no_frame_or_half_of_one_is_refused() -> None:
    body = zstandard.compress(b"[" + b"x" * 1_000 + b"]")
    for wrong in (b"", b"[]", body[:-3], b"\x28\xb5\x2f\xfd\x00\xf8" + b"\0" * 20):
        assert reason_of(tagged(BatchHeader(LOG, "n", 1, 1, 1, 1, 1_002), wrong)) is BatchReason.MALFORMED


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from([b"h", b"b", b"t"]), st.binary(max_size=64)))
def test_whatever_bytes_come_they_are_refused(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(BatchRefused):
        decode_batch(TAGS, fields)


def test_a_watermark_is_of_one_log_and_one_number() -> None:
    value = persisted_value(MARKS, LOG, 812)
    assert read_persisted(MARKS, LOG, value) == 812
    for forged in (value.replace(b"812", b"813"), b"812", b"812." + b"0" * 64, b"0812" + value[3:], b"", b"x" * 1_000):
        with pytest.raises(PersistedRefused):
            read_persisted(MARKS, LOG, forged)
    with pytest.raises(PersistedRefused):
        read_persisted(MARKS, OTHER_LOG, value)
    with pytest.raises(PersistedRefused):
        read_persisted(TAGS, LOG, value)


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b"[1,2", b"\xff", b'["1"' + b",null" * 14 + b"]", b"[" * 5_000, b"1" * 9_000]
)
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(EventRefused):
        decode_event(line)


def test_the_longest_event_fits_into_a_line() -> None:
    """Every text at its length, of characters that JSON writes as six bytes."""
    longest = msgspec.structs.replace(
        EVENT,
        sequence=2**44 - 1,
        path="\x01" * 512,
        principal="\x01" * 300,
        request_id="\x01" * 64,
        endpoint_id="\x01" * 64,
        auth_method_id="\x01" * 64,
        credential_id="\x01" * 64,
        remote_ip="\x01" * 64,
        method="\x01" * 16,
    )
    assert len(encode_event(longest)) <= LINE_BYTES_MAX
    assert decode_event(encode_event(longest)) == longest
