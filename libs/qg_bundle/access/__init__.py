"""Access events on their way from data planes to workers: batches in a stream, and how far each log is stored."""
