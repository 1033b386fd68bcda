"""What MicroPython runs after boot.py. It takes only a main.py in source: all the rest can be compiled."""

# Set aside before the code is imported, which leaves holes all over the heap, and given back afterwards:
# messages,
# and a TLS connection's buffers, need room in one piece.
room = [bytearray(4_096)]

from app import main  # noqa: E402 - see above

if __name__ == "__main__":
    main(room)
