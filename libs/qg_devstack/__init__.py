"""DEV ONLY: embedded Postgres, Redis and stand-in, and the whole gateway on top, for `make dev` and the tests."""
