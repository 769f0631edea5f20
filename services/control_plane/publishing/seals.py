"""Under which key of `BUNDLE_SEAL_KEY` the secret of a spec is sealed."""

import enum

import msgspec

from control_plane.publishing.plain import SECRET_TYPES, Secret
from qg_core.revisions import SubjectKey
from qg_core.specs import SealedSpec, Spec, SpecUnreadable, decode_spec, sealed_row
from qg_security.sealing import SealBroken, Sealer


class Seal(enum.Enum):
    """`UNOPENED`: under none of the keys."""

    NEWEST = enum.auto()
    OLDER = enum.auto()
    UNOPENED = enum.auto()


class Seals(msgspec.Struct, frozen=True):
    """How many specs hold a secret, and which of them the newest key did not seal."""

    total: int
    older: tuple[SubjectKey, ...]
    unopened: tuple[SubjectKey, ...]


def secret_of(sealer: Sealer, spec: Spec) -> Secret | None:
    """The opened secret, null where there is none. Raises `SealBroken`."""
    if not isinstance(spec, SealedSpec) or not spec.sealed:
        return None
    return sealer.open(sealed_row(spec.kind_, spec.id), spec.sealed, SECRET_TYPES[spec.kind_])


def is_newest(sealer: Sealer, spec: Spec) -> bool:
    """Whether there is no secret, or one that the newest key has sealed."""
    return not isinstance(spec, SealedSpec) or not spec.sealed or sealer.is_newest(spec.sealed)


def seal_of(sealer: Sealer, body: bytes) -> Seal | None:
    """How the secret in these bytes is sealed; null without one, and where this release could seal nothing better."""
    try:
        spec = decode_spec(body)
        if secret_of(sealer, spec) is None:
            return None
    except SealBroken:
        return Seal.UNOPENED
    except SpecUnreadable:
        return None
    return Seal.NEWEST if is_newest(sealer, spec) else Seal.OLDER
