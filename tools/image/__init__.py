"""The files of a pile as its chip gets them: which (files.py), and joined into one module (bundle.py)."""


class BuildError(Exception):
    """The files of a pile cannot be made; the text says why."""
