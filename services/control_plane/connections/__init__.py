"""Connections: where, and as which user, to reach an Oracle database."""
