"""Builds the files of a pile: which files (files.py), joined into two modules (bundle.py)."""


class BuildError(Exception):
    """The files of a pile cannot be built; the text says why."""
