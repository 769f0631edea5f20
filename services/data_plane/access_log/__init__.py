"""Access events of this node: numbered, kept in files until they are stored, sent to the workers in batches."""
