"""Bridges to systems that people already have: each is off by default, and can start nothing."""
