"""Admins and their roles."""
