"""Credentials: one secret of one consumer under one auth method."""
