"""The fleet: what each node says of itself."""
