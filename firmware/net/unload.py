"""Modules that are in the heap only while they are needed."""

import sys


def forget(names):
    """Removes modules from the heap, if they are there. Nothing else may hold them."""
    for name in names:
        sys.modules.pop(name, None)
        package, _, inner = name.rpartition(".")
        if package in sys.modules and hasattr(sys.modules[package], inner):
            delattr(sys.modules[package], inner)
