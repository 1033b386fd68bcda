"""Periodic jobs: expiry of orders, silent piles, retention of meter values."""
