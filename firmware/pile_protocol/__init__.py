"""What the pile and the cloud say to each other: one set of files, run by MicroPython and CPython alike.

Depends on nothing but hashlib, binascii and json. No float, no `/`, no typing at run time.
"""
