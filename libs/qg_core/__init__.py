"""Pure values of the gateway: no I/O, no clock, no secrets. Everything else builds on these words."""
