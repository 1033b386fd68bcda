"""From this folder onto a board: what a pile is made of (image.py), the line to it (line.py), and the job."""


class DeployError(Exception):
    """It cannot go on; the text says why and what to do, in a sentence for the person at the terminal."""
