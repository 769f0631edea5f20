"""Job runs: claim, keep the lease, run, come to an end in one of the states of `qg_core.job_runs`."""
