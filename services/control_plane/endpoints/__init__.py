"""Endpoints: saving them, checking their statements, trying statements out."""
