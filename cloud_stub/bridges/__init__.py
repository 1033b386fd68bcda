"""Bridges to systems that people already have: each is a package of one role, and off by default."""
