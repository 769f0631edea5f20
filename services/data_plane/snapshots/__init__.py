"""Stored results on this node: fetched once, kept on disk, served as they are."""
