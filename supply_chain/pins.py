"""The table of what may be used from outside, pins.toml: actions by commit, images by digest, and what is refused."""

import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

TABLE = Path(__file__).with_name("pins.toml")

CommitHash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}$")]
Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
Words = Annotated[str, msgspec.Meta(min_length=10)]


class ActionPin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One action (`owner/name`) at one commit; `seen` is the day the evidence was looked up."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$")]
    sha: CommitHash
    version: Annotated[str, msgspec.Meta(pattern=r"^v[0-9]+\.[0-9]+\.[0-9]+$")]
    # No C: an action runs with the job's token, and so far each of them could be had with better evidence.
    grade: Literal["A", "B"]
    seen: datetime.date
    evidence: Words


class Signer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who signs an image, keyless: what `cosign verify` has to find in the certificate."""

    issuer: Annotated[str, msgspec.Meta(pattern=r"^https://")]
    identity: Annotated[str, msgspec.Meta(min_length=10)]


class ImagePin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One image at one digest. `signer` is None when its publisher signs nothing that cosign can verify."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9./_-]+$")]
    tag: str
    digest: Digest
    grade: Literal["A", "B", "C"]
    seen: datetime.date
    evidence: Words
    signer: Signer | None = None


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An action that must never run: at the commits named, or, without any, at all."""

    name: str
    why: Words
    shas: tuple[CommitHash, ...] = ()


class Pins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole table."""

    actions: tuple[ActionPin, ...]
    images: tuple[ImagePin, ...]
    refused: tuple[Refusal, ...]

    def action(self, name: str) -> ActionPin | None:
        """The pin of `owner/name`, if it may be used."""
        return next((pin for pin in self.actions if pin.name == name), None)

    def image(self, digest: str) -> ImagePin | None:
        """The pin of the image with this digest (`sha256:...`), if it may be used."""
        return next((pin for pin in self.images if pin.digest == digest), None)

    def refusal(self, name: str, sha: str) -> Refusal | None:
        """Why this action must never run, if so; GitHub ignores the case of names, so does this."""
        for refusal in self.refused:
            if refusal.name.lower() == name.lower() and (not refusal.shas or sha.lower() in refusal.shas):
                return refusal
        return None


def read(path: Path = TABLE) -> Pins:
    """Read the table; raises `msgspec.ValidationError` when an entry is incomplete, malformed or of too low a grade."""
    return msgspec.toml.decode(path.read_bytes(), type=Pins)
