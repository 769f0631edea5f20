"""Hashing, API keys, JWT, sealing, signing and the authenticators built from them."""
