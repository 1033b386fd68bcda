"""Copies the firmware onto a board: its files (image.py), the serial line (line.py), the program."""


class DeployError(Exception):
    """It cannot go on; the text says why and what to do, in a sentence for the person at the terminal."""
