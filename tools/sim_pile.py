#!/usr/bin/env python3
"""One simulated pile: python tools/sim_pile.py --help. See tools/harness/sim_pile.py."""

import sys
from pathlib import Path

if __package__ in (None, ""):  # started as a file
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tools.harness.sim_pile import main

if __name__ == "__main__":
    main()
