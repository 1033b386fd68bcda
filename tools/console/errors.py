"""What the person at the terminal can put right.

ConsoleError
+-- CaptureError   a capture file that is none, or that exists already
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
