"""Settings that admins store: a stored value wins over the environment of every service."""
