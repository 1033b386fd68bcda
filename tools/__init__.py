"""Programs that a person runs, in rooms (CONTRIBUTING.md). Neither pile nor cloud depends on them."""

import sys
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent

# pile_protocol is part of the firmware's folder, which is added to the path here.
if str(ROOT / "firmware") not in sys.path:
    sys.path.append(str(ROOT / "firmware"))


def _quiet_on_ctrl_c(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """No traceback where Ctrl-C comes before `main` handles it: the imports take half a second."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _quiet_on_ctrl_c
