"""One revision compiled in memory: routes and what they need, kept per spec digest across catalogs."""
