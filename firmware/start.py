"""What main.py starts in a slot: every release has a module `start` with main()."""

import app


def main():
    app.main()
