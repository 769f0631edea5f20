"""Looking at what was published when, comparing, rolling back."""
