"""What orders and settlements need of the rest of the cloud."""

from dataclasses import dataclass

from .dispatch import Dispatch
from .events import Hub
from .metrics import Metrics
from .piles import Keys
from .rates import Versions
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """One for a process."""

    settings: Settings
    dispatch: Dispatch
    hub: Hub
    keys: Keys
    rates: Versions
    metrics: Metrics
