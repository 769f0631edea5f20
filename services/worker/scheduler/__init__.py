"""The scheduler: a row in `job_runs` for every planned time."""
