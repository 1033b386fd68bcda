"""Operators: who may sign in, and who may do what."""
