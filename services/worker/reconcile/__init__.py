"""Reconciliation: Redis is brought back to what Postgres says, and old rows go, with every control plane gone."""

from worker.reconcile.loop import Pace, Reconcile

__all__ = ["Pace", "Reconcile"]
