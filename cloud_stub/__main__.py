"""`python -m cloud_stub`: see cli."""

import sys

from .cli import main

sys.exit(main())
