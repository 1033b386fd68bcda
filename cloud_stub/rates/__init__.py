"""Tariffs: model, versions, assignment, which version holds where, its expansion into absolute time."""
