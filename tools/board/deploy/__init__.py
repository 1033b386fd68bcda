"""Copies the firmware onto a board: the serial line (line.py) and the program; the files are tools/image."""


class DeployError(Exception):
    """The text is one sentence for the person at the terminal: the cause and what to do."""
