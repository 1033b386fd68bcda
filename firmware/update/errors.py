"""Refused   the pile refuses an offered release or a configuration."""


class Refused(Exception):
    """`reason` is one of wire.UPDATE_REASONS."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason
