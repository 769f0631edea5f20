"""Bringing Redis to what Postgres says, without any signing key."""
