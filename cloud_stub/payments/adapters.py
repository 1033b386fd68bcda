"""The payment provider that the cloud uses."""

import os

from ..settings import Settings
from .port import Adapter
from .test_provider import TestProvider


def make(settings: Settings) -> Adapter | None:
    """The adapter of settings.payment; None: drivers pay after charging, and nothing is held."""
    if settings.payment == "test":
        return TestProvider(settings.data.joinpath("test_provider.db"))
    if settings.payment == "stripe":
        os.environ.pop("STRIPE_LOG", None)  # it would log the library's requests and answers
        from .stripe_adapter import StripeAdapter  # the library takes time and memory to load

        return StripeAdapter(settings)
    return None
