"""Checks of what QueryGateway is built from and of how it is released; for development and CI, never shipped."""
