"""Why a node did not take what it read: a closed set of reasons, for events, metrics and node reports."""

import enum


class Reason(enum.StrEnum):
    MISSING = "missing"
    """Redis does not hold it (deleted, lost or not there yet)."""
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    OTHER_CONTEXT = "other_context"
    """Signed as something else."""
    OTHER_GATEWAY = "other_gateway"
    SIGNATURE_INVALID = "signature_invalid"
    """Altered, or signed by a key that is not trusted."""
    TAG_INVALID = "tag_invalid"
    """Altered, or tagged under a key that is not this gateway's."""
    OTHER_SUBJECT = "other_subject"
    """Of another endpoint than the one it is stored for."""
    OTHER_REVISION = "other_revision"
    """Stored under another revision than the signed one."""
    CHAIN_BROKEN = "chain_broken"
    """Does not follow what is served."""
    DIGEST_MISMATCH = "digest_mismatch"
    """The bytes of a spec, or of a snapshot's encoding, are not those that were named."""
    OLDER = "older"
    """An older state than one already served."""
    FROM_THE_FUTURE = "from_the_future"
    """A beacon issued, or a snapshot made, later than now, beyond what clocks may differ."""


class BundleRejected(Exception):
    """Something read from Redis or disk was refused; nothing of it was used.

    `wanted` names what should be put again: `spec:<digest>`, `delta:<revision>`, `checkpoint:<revision>`,
    `snapshot:<endpoint id>`.
    """

    def __init__(self, reason: Reason, detail: str, *, wanted: tuple[str, ...] = ()) -> None:
        self.reason = reason
        self.detail = detail
        self.wanted = wanted
        super().__init__(f"{reason.value}: {detail}")
