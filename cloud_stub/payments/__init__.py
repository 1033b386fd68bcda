"""Payments: holds before an order, captures at its settlement, releases, refunds; adapters of providers."""
