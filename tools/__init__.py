"""Programs that a person runs, in rooms (CONTRIBUTING.md). Neither pile nor cloud depends on them."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# pile_protocol is part of the firmware's folder, which is added to the path here.
if str(ROOT / "firmware") not in sys.path:
    sys.path.append(str(ROOT / "firmware"))
