"""Oracle pools, bounded execution, values to JSON, driver errors to gateway errors.

From a request inwards: `execute` (what callers use) -> `call` (one run, from its first to its last moment) -> `leases`
(its hold on a session), `fetching` (the driver's part), `output` (rows within their limits) -> `statements`, `columns`,
`values` (compiled once). Sessions: `pools` -> `pool` -> `waiters`, `opening`, `backoff` -> `logon`, `hosts`, `tls`,
`sessions`. Admins' questions: `describe`, `privileges`, `dsn`. What is passed around: `targets`, `deadlines`,
`cancelling`, `errors`, `events`.
"""
