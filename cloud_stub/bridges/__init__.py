"""Bridges to other systems: one package for each, all off by default."""
