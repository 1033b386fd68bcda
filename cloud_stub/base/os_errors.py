"""Errors of the operating system in words, for a person at a terminal."""

import errno
import os
import ssl

_SENTENCES = {
    errno.ENOENT: "there is no {}",
    errno.EACCES: "you may not use {}",
    errno.EPERM: "you may not use {}",
    errno.EISDIR: "{} is a folder",
    errno.ENOTDIR: "{} is inside something that is no folder",
    errno.EEXIST: "{} is there already",
    errno.ENOSPC: "no space is left for {}",
    errno.EROFS: "{} cannot be written: its file system is read-only",
}


def in_words(error: BaseException) -> str:
    """The sentence for an OSError that names a file or has a number; the text of any other error."""
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError) or error.errno is None:
        return str(error)
    if error.errno not in errno.errorcode:  # of getaddrinfo
        return error.strerror or str(error)
    if error.filename is None:
        is_full = error.errno == errno.ENOSPC
        return "no space is left on the disk" if is_full else error.strerror or os.strerror(error.errno)
    name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else str(error.filename)
    sentence = _SENTENCES.get(error.errno)
    return sentence.format(name) if sentence else f"{name}: {os.strerror(error.errno).lower()}"
