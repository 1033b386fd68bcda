#!/bin/sh
# Finds a Python of 3.10 or newer and hands over to tools/setup.py. Run in the repository's folder.
for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python3.10 python3.14; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        exec "$python" -m tools.setup "$@"
    fi
done
echo "RateLock needs Python 3.10 or newer, and found none: install it (Debian, Ubuntu: apt-get install python3;" \
    "macOS: brew install python), or name one with PYTHON=/path/to/python3." >&2
exit 1
