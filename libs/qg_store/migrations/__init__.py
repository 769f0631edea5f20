"""The migrations, from an empty database. Committed ones are never edited (versions/manifest.sha256)."""
