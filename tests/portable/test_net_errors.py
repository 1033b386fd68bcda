"""Which errors of a socket are a want of memory: mbedTLS has a code of its own for each of its layers."""

from net.errors import LinkDown, LinkNoMemory, of_network

NO_MEMORY = (
    MemoryError("memory allocation failed, allocating 513 bytes"),
    OSError(12),
    OSError(-0x7F00, "MBEDTLS_ERR_SSL_ALLOC_FAILED"),
    OSError(-0x2880),
    OSError(-0x4D80),
    OSError(-0x3B00 - 0x10),  # of a large number, while a key is read
)


def test_a_want_of_memory_is_told_as_one():
    for error in NO_MEMORY:
        found = of_network(error)
        assert isinstance(found, LinkNoMemory) and "memory" in str(found), error


def test_other_errors_are_not():
    for error in (OSError(), OSError(104), OSError(111), OSError(-0x7780), EOFError(), OSError("text")):
        assert isinstance(of_network(error), LinkDown), error
