"""Builds the files of a pile: which files (files.py), and how they are joined into one module (bundle.py)."""


class BuildError(Exception):
    """The files of a pile cannot be built; the text says why."""
