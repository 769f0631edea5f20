"""How a revision travels: Redis keys, codec, publish and read of specs, deltas, checkpoints and beacons."""
