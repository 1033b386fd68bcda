"""The files of a pile as they are to lie on its chip: which (files.py), joined into one module (bundle.py)."""


class BuildError(Exception):
    """The files of a pile cannot be made; the text says why."""
