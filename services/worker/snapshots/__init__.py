"""Snapshots: rows streamed into a spool on disk, from there into Postgres, from there a copy into Redis."""
