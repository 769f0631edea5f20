"""The data plane: a stateless replica that serves one verified catalog under /api/v1/data/."""
