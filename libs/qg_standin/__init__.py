"""DEV ONLY: a server that speaks Oracle's wire protocol over an embedded engine, with the demo schema."""
