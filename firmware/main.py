"""What MicroPython runs after boot.py. It takes only a main.py in source: all the rest can be compiled."""

# Set aside before the import, which leaves the free heap in many small pieces, and given back afterwards: an
# order of several KB needs one piece.
room = [bytearray(4_096)]

import app  # noqa: E402 - see above


def main():
    app.main(room)


if __name__ == "__main__":
    main()
