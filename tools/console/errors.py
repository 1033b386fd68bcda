"""Errors that the person at the terminal can correct.

ConsoleError
+-- CaptureError   a file that is not a capture, or a new one that exists already
+-- KeysError      keys that cannot be read
+-- CommandError   a command that was not sent
"""


class ConsoleError(Exception):
    """The text is one sentence for the person at the terminal."""


class CaptureError(ConsoleError):
    pass


class KeysError(ConsoleError):
    pass


class CommandError(ConsoleError):
    pass
