"""Bringing everything that is kept under an older key under the newest one, so that the older can be removed."""
