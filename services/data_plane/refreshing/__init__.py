"""Following the revisions: hear, verify, remember on disk, swap the catalog, report."""
