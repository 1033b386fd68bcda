"""Piles: registry, keys, broker credentials, status, views, labels, removal."""
