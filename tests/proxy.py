"""The bad network of the tests: see tools/proxy.py."""

from tools.proxy import Proxy

__all__ = ["Proxy"]
