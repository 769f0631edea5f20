"""A committed migration is never edited: somebody's database has already run it."""

import hashlib

from qg_store import revisions

_VERSIONS = revisions.SCRIPTS / "versions"


def test_every_migration_is_in_the_manifest_with_its_digest() -> None:
    lines = (_VERSIONS / "manifest.sha256").read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split() for line in lines if line.strip())}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(_VERSIONS.glob("*.py"))}
    assert found == recorded, "add new migrations to versions/manifest.sha256; never edit a committed one"
