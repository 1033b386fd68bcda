"""What every room may use: problems, metrics, clock, ids, secrets."""
