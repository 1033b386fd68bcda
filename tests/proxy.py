"""The bad network of the tests: see tools/harness/proxy.py."""

from tools.harness.proxy import Proxy

__all__ = ["Proxy"]
