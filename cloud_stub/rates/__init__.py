"""Tariffs and their versions: model, assignment, which version holds where, its expansion into absolute time."""
