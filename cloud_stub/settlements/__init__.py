"""Settlements: rules, storing, review, payment, views, ledger."""
