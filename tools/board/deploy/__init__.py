"""Copies the firmware onto a board: its files (image.py), the serial line (line.py), the program."""


class DeployError(Exception):
    """The text is one sentence for the person at the terminal: the cause and what to do."""
