"""What can happen, as data; the log lines, metrics and ops routes that observe it."""
