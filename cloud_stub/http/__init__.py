"""HTTP: routers by audience (driver, operator, broker, monitoring), access, rate limits, problem details."""
