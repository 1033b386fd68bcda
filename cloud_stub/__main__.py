"""`python -m cloud_stub`: see cli."""

import sys

try:
    from .cli import main
except ModuleNotFoundError as error:
    sys.exit(f"cloud_stub: this Python has no {error.name}: use .venv/bin/python, which `make setup` makes")

sys.exit(main())
