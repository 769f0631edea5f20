"""Wake-ups through arq: a hint to look into Postgres now."""
