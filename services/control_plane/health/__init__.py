"""Whether this control plane can do its work."""
