"""What orders and settlements need of the rest of the cloud."""

from dataclasses import dataclass

from ..base.metrics import Metrics
from ..messaging.outbox import Outbox
from ..piles.keys import KnownPiles
from ..rates.holding import Versions
from ..settings import Settings
from .hub import Hub


@dataclass(frozen=True, slots=True)
class Context:
    """One for a process."""

    settings: Settings
    outbox: Outbox
    hub: Hub
    known_piles: KnownPiles
    rates: Versions
    metrics: Metrics
