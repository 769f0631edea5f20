"""What arrives, parsed strictly: JSON bodies, query strings, ids; every problem of a request at once."""
