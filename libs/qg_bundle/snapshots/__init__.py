"""Snapshots in Redis: a tagged header per endpoint and the pieces of its encodings."""
