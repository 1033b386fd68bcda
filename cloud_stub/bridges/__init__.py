"""Bridges to systems that people already have: each a package of one role, off by default."""
