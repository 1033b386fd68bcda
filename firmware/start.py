"""What main.py starts in a slot: every release has a module `start` with main()."""

# Set aside before the import, which leaves the free heap in many small pieces, and given back afterwards: an
# order of several KB needs one piece.
room = [bytearray(4_096)]

import app  # noqa: E402 - see above


def main():
    app.main(room)
