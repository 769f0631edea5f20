"""Checks of the chart: what of it can be read (in `make test`), and what helm makes of it (`make helm-check`)."""
