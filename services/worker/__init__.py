"""The worker fleet: scheduled job runs, snapshots, the access log, and the repair of what Redis lost."""
