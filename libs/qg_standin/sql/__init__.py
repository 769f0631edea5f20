"""Oracle SQL to the engine's: parsing, type inference, rewriting and planning."""
