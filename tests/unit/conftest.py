"""Settings of all unit tests."""

from hypothesis import settings

# A deadline measures the machine, not the code: what must be quick has a test of its own.
settings.register_profile("gateway", deadline=None)
settings.load_profile("gateway")
