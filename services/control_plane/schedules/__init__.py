"""Schedules of endpoints, their job runs, and the snapshots these left."""
