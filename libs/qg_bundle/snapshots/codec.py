"""A snapshot's header as bytes: msgpack `[payload, tag]`; the payload is JSON, the tag covers all of it.

The tag's key is derived for snapshots alone, and gateway, endpoint and producer are inside: a header that was written
for another purpose, gateway, place or statement is not taken for this one. The digests inside bind the pieces.
"""

import msgspec

from qg_bundle.rejections import BundleRejected, Reason
from qg_core.signatures import Tagger
from qg_core.snapshots import SnapshotHeader, header_problem

HEADER_BYTES_MAX = 4_096


class Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A header's JSON and its tag."""

    payload: bytes
    tag: bytes


_envelope_decoder = msgspec.msgpack.Decoder(Envelope)
_encode_envelope = msgspec.msgpack.Encoder().encode
_header_decoder = msgspec.json.Decoder(SnapshotHeader)
_encode_header = msgspec.json.Encoder(order="sorted").encode


def seal_header(tags: Tagger, header: SnapshotHeader) -> bytes:
    """Tag and encode a header. Raises `ValueError` when no reader would take it."""
    problem = header_problem(header)
    if problem is not None:
        raise ValueError(f"the header of snapshot {header.snapshot_id}: {problem}")
    payload = _encode_header(header)
    sealed = _encode_envelope(Envelope(payload, tags.tag(payload)))
    if len(sealed) > HEADER_BYTES_MAX:
        raise ValueError(f"a header of {len(sealed)} bytes; at most {HEADER_BYTES_MAX} are read")
    return sealed


def open_header(tags: Tagger, gateway_id: str, endpoint_id: str, sealed: bytes) -> SnapshotHeader:
    """The header of the snapshot of `endpoint_id`. Raises `BundleRejected`, which asks for it to be put again."""
    try:
        return _open(tags, gateway_id, endpoint_id, sealed)
    except BundleRejected as rejected:
        raise rejected_snapshot(rejected.reason, endpoint_id, rejected.detail) from rejected


def retagged_header(tags: Tagger, gateway_id: str, endpoint_id: str, sealed: bytes) -> bytes:
    """The same header under the newest key; the very same bytes when it is already. Raises `BundleRejected`."""
    open_header(tags, gateway_id, endpoint_id, sealed)
    payload = _envelope_decoder.decode(sealed).payload
    return _encode_envelope(Envelope(payload, tags.tag(payload)))


def rejected_snapshot(reason: Reason, endpoint_id: str, detail: str) -> BundleRejected:
    """Something of the snapshot of `endpoint_id` was refused; it is wanted again."""
    return BundleRejected(reason, f"the snapshot of {endpoint_id}: {detail}", wanted=(wanted_name(endpoint_id),))


def wanted_name(endpoint_id: str) -> str:
    """How `BundleRejected.wanted` and node reports ask for the newest snapshot of an endpoint."""
    return f"snapshot:{endpoint_id}"


def _open(tags: Tagger, gateway_id: str, endpoint_id: str, sealed: bytes) -> SnapshotHeader:
    if not sealed:
        raise BundleRejected(Reason.MISSING, "its header is not there")
    if len(sealed) > HEADER_BYTES_MAX:
        raise BundleRejected(Reason.TOO_LARGE, f"its header is larger than {HEADER_BYTES_MAX} bytes")
    try:
        envelope = _envelope_decoder.decode(sealed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleRejected(Reason.MALFORMED, "its header is no envelope") from error
    if not tags.verifies(envelope.payload, envelope.tag):
        raise BundleRejected(Reason.TAG_INVALID, "the tag of its header does not verify")
    try:
        header = _header_decoder.decode(envelope.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleRejected(Reason.MALFORMED, "its header is tagged but not understood") from error
    if header.gateway_id != gateway_id:
        raise BundleRejected(Reason.OTHER_GATEWAY, "its header is another gateway's")
    if header.endpoint_id != endpoint_id:
        raise BundleRejected(Reason.OTHER_SUBJECT, f"its header is of endpoint {header.endpoint_id}")
    problem = header_problem(header)
    if problem is not None:
        raise BundleRejected(Reason.MALFORMED, f"its header: {problem}")
    return header
