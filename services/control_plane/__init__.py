"""The control plane: the admin REST API; compiles, signs and publishes what data planes serve."""
