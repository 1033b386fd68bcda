"""The messages between pile and cloud, their seals and prices: one set of files, run by MicroPython and
CPython.

Depends on hashlib, binascii and json only. No float, no `/`, no typing at run time.
"""
