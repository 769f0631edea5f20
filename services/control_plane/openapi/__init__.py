"""The admin API described for machines, made from what the routes declare."""
