"""Measures how much heap the firmware takes, on a 32-bit MicroPython: see __main__.py."""
